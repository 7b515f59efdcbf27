// Where the spot lies in a frame: dermascan_core/imaging/segment.py and crop.py once more, for the browser.

/** The lesion's mask as a 0/1 plane, or null when nothing stands out; written after segment.py, line by line. */
function findLesion(frame, limits) {
  const { width, height } = frame;
  const lab = labOf(medianFrame(frame));
  const n = width * height;
  const radius = new Float32Array(n);
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      radius[y * width + x] = Math.hypot((y - (height - 1) / 2) / height, (x - (width - 1) / 2) / width);
    }
  }
  const isCorner = darkCorners(lab, radius, width, height);
  const ring = [];
  for (let i = 0; i < n; i += 1) if (radius[i] > 0.4 && !isCorner[i]) ring.push(i);
  if (ring.length < 50) return null;
  const lightEnough = percentileOf(ring.map((i) => lab[3 * i]), 40);
  const light = ring.filter((i) => lab[3 * i] >= lightEnough);
  const skin = [0, 1, 2].map((c) => percentileOf(light.map((i) => lab[3 * i + c]), 50));
  const raw = new Float32Array(n);
  for (let i = 0; i < n; i += 1) {
    const lightness = lab[3 * i] - skin[0];
    raw[i] = Math.hypot(lightness * (lightness > 0 ? 0.35 : 0.7), lab[3 * i + 1] - skin[1], lab[3 * i + 2] - skin[2]);
  }
  const distance = blurPlane({ data: raw, width, height }, 3).data;
  const weighted = new Float32Array(n);
  let most = 1e-6;
  for (let i = 0; i < n; i += 1) {
    if (isCorner[i]) distance[i] = 0;
    weighted[i] = distance[i] * Math.exp(-0.5 * (radius[i] / 0.3) ** 2);
    most = Math.max(most, weighted[i]);
  }
  const level = weighted.map((value) => Math.round((value * 255) / most));
  const threshold = 0.65 * otsuOf(level.filter((_, i) => !isCorner[i]));
  const binary = openMask(Uint8Array.from(level, (value) => Number(value > threshold)), width, height);
  const parts = labelParts(binary, width, height);
  if (parts.count === 0) return null;
  const weights = new Float64Array(parts.count + 1);
  for (let i = 0; i < n; i += 1) if (parts.labels[i]) weights[parts.labels[i]] += weighted[i];
  const best = weights.indexOf(Math.max(...weights.subarray(1)), 1);
  const mask = fillHoles(Uint8Array.from(parts.labels, (label) => Number(label === best)), width, height);
  let area = 0;
  let contrast = 0;
  for (let i = 0; i < n; i += 1) {
    area += mask[i];
    contrast += mask[i] * distance[i];
  }
  const share = area / n;
  if (share < 0.005 || share > 0.9 || contrast / area < limits.min_lesion_contrast) return null;
  return { data: mask, width, height };
}

/** The square around a lesion, or the middle one, as crop.py places it. */
function squareAround(lesion, width, height, limits) {
  const short = Math.min(width, height);
  if (lesion === null) return { left: (width - short) >> 1, top: (height - short) >> 1, side: short };
  const box = boxesOf(lesion.data, 1, width)[0];
  const extent = Math.max(box.right - box.left, box.bottom - box.top) + 1;
  const zoom = Math.min(Math.max((limits.min_lesion_extent * short) / extent, 1), limits.max_zoom);
  const side = Math.round(short / zoom);
  const place = (centre, size) => Math.min(Math.max(Math.round(centre - side / 2), 0), size - side);
  return { left: place(box.sumX / box.area, width), top: place(box.sumY / box.area, height), side };
}

function measureLesion(lesion, square) {
  if (lesion === null) return { lesion_share: 0, edge_share: 0 };
  const { data, width, height } = lesion;
  let inside = 0;
  for (let y = square.top; y < square.top + square.side; y += 1) {
    for (let x = square.left; x < square.left + square.side; x += 1) inside += data[y * width + x];
  }
  let border = 0;
  for (let x = 0; x < width; x += 1) border += data[x] + data[(height - 1) * width + x];
  for (let y = 0; y < height; y += 1) border += data[y * width] + data[y * width + width - 1];
  return { lesion_share: inside / square.side ** 2, edge_share: border / (2 * (width + height)) };
}

/** Dark areas that reach a corner: the round stop of a dermatoscope. */
function darkCorners(lab, radius, width, height) {
  const dark = Uint8Array.from(radius, (_, i) => Number(lab[3 * i] < 70));
  const { labels } = labelParts(dark, width, height);
  const corners = new Set([0, width - 1, (height - 1) * width, height * width - 1].map((i) => labels[i]));
  corners.delete(0);
  if (corners.size === 0) return new Uint8Array(dark.length);
  const marked = Uint8Array.from(labels, (label, i) => Number(corners.has(label) && radius[i] > 0.38));
  const box = [];
  for (let dy = -4; dy <= 4; dy += 1) for (let dx = -4; dx <= 4; dx += 1) box.push([dx, dy]);
  return morphPlane(marked, width, height, box, 1);
}

function otsuOf(levels) {
  const histogram = new Float64Array(256);
  for (const level of levels) histogram[level] += 1;
  const sumAll = histogram.reduce((sum, n, value) => sum + n * value, 0);
  let [below, sumBelow, best, threshold] = [0, 0, -1, 0];
  for (let value = 0; value < 256; value += 1) {
    below += histogram[value];
    sumBelow += value * histogram[value];
    const above = levels.length - below;
    if (below === 0 || above === 0) continue;
    const between = below * above * (sumBelow / below - (sumAll - sumBelow) / above) ** 2;
    if (between > best) [best, threshold] = [between, value];
  }
  return threshold;
}

const ELLIPSE_5 = [];
for (let dy = -2; dy <= 2; dy += 1) {
  for (let dx = -2; dx <= 2; dx += 1) if (Math.abs(dy) < 2 || dx === 0) ELLIPSE_5.push([dx, dy]);
}

function openMask(mask, width, height) {
  return morphPlane(morphPlane(mask, width, height, ELLIPSE_5, -1), width, height, ELLIPSE_5, 1);
}
