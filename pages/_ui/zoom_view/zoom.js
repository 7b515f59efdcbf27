// One photo at its full resolution: wheel, two fingers, drag, double click, buttons and keys. Sends nothing to the server.

const STEP = 1.4;
const MAX_SCALE = 8; // screen pixels for one of the photo
const PAN_PX = 60;

export default function zoomView({ data, parentElement }) {
  const find = (selector) => parentElement.querySelector(selector);
  const [stage, image] = [find(".stage"), find("img")];
  const { words } = data;
  const pointers = new Map();
  let view = { scale: 1, x: 0, y: 0 };

  image.alt = words.photo;
  stage.setAttribute("aria-label", words.photo);
  find(".fit").textContent = words.fit;
  find(".in").setAttribute("aria-label", words.closer);
  find(".out").setAttribute("aria-label", words.further);
  find(".help").textContent = words.help;
  image.onload = fit;
  if (image.dataset.shown !== data.name) {
    image.dataset.shown = data.name; // a rerun of the page leaves the view as it is
    image.src = `data:image/jpeg;base64,${data.jpeg}`;
  } else {
    view = JSON.parse(image.dataset.view || JSON.stringify(view));
    draw();
  }

  find(".in").onclick = () => zoomAt(STEP, ...middle());
  find(".out").onclick = () => zoomAt(1 / STEP, ...middle());
  find(".fit").onclick = fit;
  stage.ondblclick = (event) => zoomAt(2, ...placeOf(event));
  stage.onwheel = (event) => {
    zoomAt(event.deltaY < 0 ? STEP : 1 / STEP, ...placeOf(event));
    event.preventDefault();
  };
  stage.onpointerdown = (event) => {
    pointers.set(event.pointerId, placeOf(event));
    stage.setPointerCapture(event.pointerId);
  };
  stage.onpointermove = move;
  stage.onpointerup = stage.onpointercancel = (event) => pointers.delete(event.pointerId);
  stage.onkeydown = (event) => {
    const pans = { ArrowLeft: [1, 0], ArrowRight: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key];
    if (pans) show({ ...view, x: view.x + PAN_PX * pans[0], y: view.y + PAN_PX * pans[1] });
    else if (event.key === "+" || event.key === "=") zoomAt(STEP, ...middle());
    else if (event.key === "-") zoomAt(1 / STEP, ...middle());
    else if (event.key === "Home") fit();
    else return; // every other key is the page's
    event.preventDefault();
    event.stopPropagation();
  };

  function move(event) {
    if (!pointers.has(event.pointerId)) return;
    const before = [...pointers.values()];
    const from = pointers.get(event.pointerId);
    const to = placeOf(event);
    pointers.set(event.pointerId, to);
    if (pointers.size === 2) {
      const after = [...pointers.values()];
      const apart = ([a, b]) => Math.hypot(a[0] - b[0], a[1] - b[1]) || 1;
      zoomAt(apart(after) / apart(before), (after[0][0] + after[1][0]) / 2, (after[0][1] + after[1][1]) / 2);
    } else {
      show({ ...view, x: view.x + to[0] - from[0], y: view.y + to[1] - from[1] });
    }
  }

  function placeOf(event) {
    const box = stage.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  }

  function middle() {
    return [stage.clientWidth / 2, stage.clientHeight / 2];
  }

  function fitScale() {
    return Math.min(stage.clientWidth / image.naturalWidth, stage.clientHeight / image.naturalHeight);
  }

  function fit() {
    show({ scale: fitScale(), x: 0, y: 0 });
  }

  function zoomAt(factor, x, y) {
    const scale = Math.min(Math.max(view.scale * factor, fitScale()), MAX_SCALE);
    const grown = scale / view.scale;
    show({ scale, x: x - (x - view.x) * grown, y: y - (y - view.y) * grown });
  }

  function show(wanted) {
    const held = (place, space, size) => (size <= space ? (space - size) / 2 : Math.min(0, Math.max(space - size, place)));
    view = {
      scale: wanted.scale,
      x: held(wanted.x, stage.clientWidth, image.naturalWidth * wanted.scale),
      y: held(wanted.y, stage.clientHeight, image.naturalHeight * wanted.scale),
    };
    draw();
  }

  function draw() {
    image.style.transform = `translate(${view.x}px, ${view.y}px) scale(${view.scale})`;
    image.style.imageRendering = view.scale > 2 ? "pixelated" : "auto";
    image.dataset.view = JSON.stringify(view);
    find(".scale").textContent = `${Math.round(100 * view.scale)} %`;
  }
}
