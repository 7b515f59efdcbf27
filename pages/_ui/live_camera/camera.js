// The live camera: the frame, the hint, the shot. What it measures stands in measures.js, which Python puts before this
// file; every word comes from Python. Nothing leaves the page but the photo that the person chose to use.

const LOOK_EVERY_MS = 350;
const LOOK_SIDE_PX = 600; // enough to be averaged down to the working size, and no more
const STILL_TIMEOUT_MS = 4000;
const JPEG_QUALITIES = [0.95, 0.85, 0.7];

export default function liveCamera({ data, parentElement, setTriggerValue }) {
  const { words, hints, limits, max_size_bytes: maxSizeBytes } = data;
  const find = (name) => parentElement.querySelector(`.${name}`);
  const [root, hint] = [find("camera"), find("hint")];
  const [video, shot] = [parentElement.querySelector("video"), find("shot")];
  const [take, use, retake, torch, zoom] = ["take", "use", "retake", "torch", "zoom"].map(find);
  const canvas = document.createElement("canvas");
  let [stream, track, photo, looking, isGone, before, code] = [null, null, null, 0, false, null, ""];

  root.setAttribute("aria-label", words.label);
  for (const [element, word] of [[take, "take"], [use, "use"], [retake, "retake"], [torch, "torch"], [zoom, "zoom"]]) {
    element.textContent = words[word];
  }
  find("framing").textContent = words.framing;
  find("keys").textContent = words.keys;
  take.onclick = takePhoto;
  use.onclick = usePhoto;
  retake.onclick = start;
  torch.onclick = toggleTorch;
  zoom.onclick = nextZoom;
  root.onkeydown = onKey;
  start();

  return () => {
    isGone = true;
    stop();
    if (photo) URL.revokeObjectURL(shot.src);
  };

  // --- states: starting, live, taken, sent, failed

  function enter(state, sentence) {
    root.dataset.state = state;
    const isLive = state === "live";
    video.hidden = state === "taken";
    shot.hidden = state !== "taken";
    take.hidden = !["starting", "live"].includes(state);
    take.disabled = !isLive;
    use.hidden = state !== "taken";
    retake.hidden = !["taken", "sent", "failed"].includes(state);
    retake.textContent = { sent: words.another, failed: words.again }[state] || words.retake;
    torch.hidden = !isLive || !capability("torch");
    zoom.hidden = !isLive || zoomSteps().length < 2;
    find("framing").hidden = !["starting", "live"].includes(state);
    say(sentence);
  }

  function say(sentence) {
    if (hint.textContent !== sentence) hint.textContent = sentence;
  }

  async function start() {
    stop();
    forgetPhoto();
    enter("starting", words.starting);
    if (!navigator.mediaDevices?.getUserMedia) return enter("failed", words.no_camera);
    const wanted = { facingMode: { ideal: "environment" }, width: { ideal: 1920 }, height: { ideal: 1440 } };
    try {
      const opened = await navigator.mediaDevices.getUserMedia({ video: wanted, audio: false });
      if (isGone) return opened.getTracks().forEach((each) => each.stop());
      stream = opened;
      [track] = stream.getVideoTracks();
      track.onended = () => enter("failed", words.lost);
      video.srcObject = stream;
      await video.play();
    } catch (error) {
      if (!isGone) enter("failed", sentenceOf(error));
      return undefined;
    }
    enter("live", words.starting);
    look();
    return undefined;
  }

  function sentenceOf(error) {
    if (error.name === "NotAllowedError" || error.name === "SecurityError") return words.refused;
    return error.name === "NotReadableError" ? words.busy : words.no_camera;
  }

  function stop() {
    clearTimeout(looking);
    if (track) track.onended = null;
    stream?.getTracks().forEach((each) => each.stop());
    [stream, track, before, code] = [null, null, null, ""];
    torch.setAttribute("aria-pressed", "false");
  }

  function forgetPhoto() {
    if (photo) URL.revokeObjectURL(shot.src);
    photo = null;
    shot.removeAttribute("src");
  }

  // --- hints

  function look() {
    if (isGone || root.dataset.state !== "live") return;
    if (video.videoWidth && !document.hidden) {
      const seen = measureFrame(drawFrame(video, video.videoWidth, video.videoHeight, LOOK_SIDE_PX), limits);
      const codes = movementBetween(before, seen.grey) > limits.moving ? ["moving", ...seen.codes] : seen.codes;
      before = seen.grey;
      const worst = Object.keys(hints).find((each) => codes.includes(each)) || "";
      // One look alone may be an accident: a hint is said when two agree.
      if (worst === code) showHint(worst);
      code = worst;
    }
    looking = setTimeout(look, LOOK_EVERY_MS);
  }

  function showHint(worst) {
    root.dataset.ready = worst ? "no" : "yes";
    root.dataset.hint = worst || "ready";
    say(worst ? hints[worst] : words.ready);
  }

  function drawFrame(source, width, height, shortSidePx) {
    const scale = Math.min(1, shortSidePx / Math.min(width, height));
    canvas.width = Math.round(width * scale);
    canvas.height = Math.round(height * scale);
    const context = canvas.getContext("2d", { willReadFrequently: true });
    context.imageSmoothingQuality = "high";
    context.drawImage(source, 0, 0, canvas.width, canvas.height);
    return context.getImageData(0, 0, canvas.width, canvas.height);
  }

  // --- the shot

  async function takePhoto() {
    if (root.dataset.state !== "live") return;
    take.disabled = true;
    clearTimeout(looking);
    say(words.taking);
    const taken = (await fullResolution()) || (await frameOf(video, video.videoWidth, video.videoHeight));
    if (isGone) return;
    stop();
    if (!taken) {
      enter("failed", words.lost);
      return;
    }
    photo = taken;
    shot.src = URL.createObjectURL(photo);
    shot.alt = words.shot;
    enter("taken", words.taken);
    use.focus();
  }

  /** The sensor's own JPEG where the browser gives it; null where it does not, or takes too long. */
  async function fullResolution() {
    if (!window.ImageCapture?.prototype.takePhoto) return null;
    const tooLate = new Promise((resolve) => {
      setTimeout(() => resolve(null), STILL_TIMEOUT_MS);
    });
    try {
      const still = await Promise.race([new ImageCapture(track).takePhoto(), tooLate]);
      if (!still) return null;
      const bitmap = await createImageBitmap(still);
      const isSmaller = Math.min(bitmap.width, bitmap.height) < Math.min(video.videoWidth, video.videoHeight);
      if (isSmaller) return null;
      const isAsIs = still.type === "image/jpeg" && still.size <= maxSizeBytes;
      return isAsIs ? still : await frameOf(bitmap, bitmap.width, bitmap.height);
    } catch (error) {
      return null; // a camera that gives no stills still gives frames
    }
  }

  async function frameOf(source, width, height) {
    drawFrame(source, width, height, Infinity);
    for (const quality of JPEG_QUALITIES) {
      const jpeg = await new Promise((resolve) => {
        canvas.toBlob(resolve, "image/jpeg", quality);
      });
      if (jpeg && jpeg.size <= maxSizeBytes) return jpeg;
    }
    return null;
  }

  async function usePhoto() {
    if (!photo) return;
    use.disabled = true;
    const base64 = (await readAsDataUrl(photo)).split(",")[1];
    use.disabled = false;
    if (isGone) return;
    setTriggerValue("photo", base64);
    forgetPhoto();
    enter("sent", words.sent);
  }

  function readAsDataUrl(blob) {
    return new Promise((resolve, reject) => {
      const reader = new FileReader();
      reader.onload = () => resolve(reader.result);
      reader.onerror = () => reject(reader.error);
      reader.readAsDataURL(blob);
    });
  }

  // --- keys, torch, zoom

  function onKey(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const isOnButton = event.composedPath()[0].tagName === "BUTTON"; // there the space bar presses that button
    if (event.key === " " && !isOnButton && !take.hidden) takePhoto();
    else if (event.key.toLowerCase() === "r" && !retake.hidden) start();
    else return;
    event.preventDefault();
    event.stopPropagation(); // R alone would run the page again
    if (event.key !== " ") root.focus();
  }

  function capability(name) {
    return track?.getCapabilities?.()[name];
  }

  async function toggleTorch() {
    const isOn = torch.getAttribute("aria-pressed") !== "true";
    try {
      await track.applyConstraints({ advanced: [{ torch: isOn }] });
      torch.setAttribute("aria-pressed", String(isOn));
    } catch (error) {
      torch.hidden = true; // named as possible, and not so
    }
  }

  function zoomSteps() {
    const range = capability("zoom");
    return range ? [1, 2, 3].filter((step) => step >= range.min && step <= range.max) : [];
  }

  async function nextZoom() {
    const steps = zoomSteps();
    const step = steps[(steps.indexOf(Math.round(track.getSettings().zoom || 1)) + 1) % steps.length];
    try {
      await track.applyConstraints({ advanced: [{ zoom: step }] });
      zoom.textContent = `${words.zoom} ${step}x`;
    } catch (error) {
      zoom.hidden = true;
    }
  }
}
