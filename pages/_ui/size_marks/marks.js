// Two marks on a photo, moved by finger, mouse or arrow keys. Sends their places as shares of width and height when the
// person asks to measure; what they mean is worked out in Python.

export default function sizeMarks({ data, parentElement, setStateValue }) {
  const find = (selector) => parentElement.querySelector(selector);
  const [stage, image, svg] = [find(".stage"), find("img"), find("svg")];
  const handles = [...parentElement.querySelectorAll(".handle")];
  const marks = data.start.map((mark) => [...mark]);
  const { words } = data;
  let held = null;

  image.src = `data:image/jpeg;base64,${data.jpeg}`;
  image.alt = words.photo;
  svg.setAttribute("viewBox", `0 0 ${data.width} ${data.height}`);
  svg.querySelectorAll(".coin").forEach((circle) => circle.toggleAttribute("hidden", !data.is_coin));
  find(".task").textContent = words.task;
  find(".measure").textContent = words.measure;
  find(".measure").onclick = () => setStateValue("marks", marks.map((mark) => [...mark]));
  handles.forEach((handle, index) => {
    handle.setAttribute("aria-label", words.marks[index]);
    handle.onkeydown = (event) => moveByKey(event, index);
  });
  stage.onpointerdown = (event) => {
    held = handles.indexOf(event.target);
    if (held < 0) held = nearest(event);
    stage.setPointerCapture(event.pointerId);
    handles[held].focus({ preventScroll: true });
    moveTo(event, held);
    event.preventDefault();
  };
  stage.onpointermove = (event) => held !== null && moveTo(event, held);
  stage.onpointerup = () => {
    if (held !== null) tell(held);
    held = null;
  };
  stage.onpointercancel = stage.onpointerup;
  draw();

  function placeOf(event) {
    const box = stage.getBoundingClientRect();
    return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height].map(inside);
  }

  function inside(share) {
    return Math.min(Math.max(share, 0), 1);
  }

  function nearest(event) {
    const [x, y] = placeOf(event);
    const distances = marks.map((mark) => Math.hypot((mark[0] - x) * data.width, (mark[1] - y) * data.height));
    return distances[0] <= distances[1] ? 0 : 1;
  }

  function moveTo(event, index) {
    marks[index] = placeOf(event);
    draw();
  }

  function moveByKey(event, index) {
    const steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (!steps) return;
    const px = event.shiftKey ? 10 : 1;
    marks[index] = [inside(marks[index][0] + (px * steps[0]) / data.width), inside(marks[index][1] + (px * steps[1]) / data.height)];
    draw();
    tell(index);
    event.preventDefault();
    event.stopPropagation();
  }

  function tell(index) {
    const [across, down] = marks[index].map((share) => Math.round(100 * share));
    find(".place").textContent = `${words.marks[index]}: ${across} % ${words.across}, ${down} % ${words.down}.`;
  }

  function draw() {
    const [first, second] = marks.map((mark) => [mark[0] * data.width, mark[1] * data.height]);
    handles.forEach((handle, index) => {
      handle.style.left = `${100 * marks[index][0]}%`;
      handle.style.top = `${100 * marks[index][1]}%`;
    });
    svg.querySelectorAll("line").forEach((line) => {
      set(line, { x1: first[0], y1: first[1], x2: second[0], y2: second[1] });
    });
    const radius = Math.hypot(first[0] - second[0], first[1] - second[1]) / 2;
    svg.querySelectorAll("circle").forEach((circle) => {
      set(circle, { cx: (first[0] + second[0]) / 2, cy: (first[1] + second[1]) / 2, r: data.is_coin ? radius : 0 });
    });
  }

  function set(element, attributes) {
    Object.entries(attributes).forEach(([name, value]) => element.setAttribute(name, value));
  }
}
