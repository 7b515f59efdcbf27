// What the live camera measures of a frame: the measures of dermascan_core/imaging/quality.py at the same working size,
// so that a hint before the shot and a refusal after it speak of one thing. The limits come from Python, and
// tests/browser/test_live_measures.py holds the verdicts to Python's. Needs planes.js and spot.js before it.

/**
 * Measure one frame and name what speaks against it.
 *
 * @param {{data: Uint8ClampedArray, width: number, height: number}} frame RGBA, as a canvas gives it.
 * @param {Object} limits As dermascan_core.imaging.live.LIMITS holds them.
 * @returns {{codes: string[], measures: Object, grey: Plane}} Codes worst first, empty when nothing speaks against the
 *     shot; the measures by Python's names; luminance at working size, for noticing movement.
 */
function measureFrame(frame, limits) {
  const small = shrinkFrame(frame, limits.work_side_px);
  const grey = greyOf(small);
  const lesion = findLesion(small, limits);
  const square = squareAround(lesion, small.width, small.height, limits);
  const measures = {
    ...measureSharpness(grey),
    ...measureExposure(grey, square),
    ...measureLesion(lesion, square),
    hair_share: hairShare(grey, limits),
    ink_share: inkShare(small, lesion),
  };
  return { codes: judgeFrame(measures, limits), measures, grey };
}

/** Codes of what speaks against a frame with these measures, worst first; the names are those of Python's reasons. */
function judgeFrame(m, limits) {
  const hasLesion = m.lesion_share > 0;
  const isBlurry = m.sharpness < limits.min_sharpness || m.fine_detail < limits.min_fine_detail;
  const found = {
    too_dark: m.bright_luminance < limits.max_black_luminance || m.clipped_dark_share > limits.max_clipped_dark_share,
    too_bright:
      m.mean_luminance > limits.max_mean_luminance || m.clipped_bright_share > limits.max_clipped_bright_share,
    low_contrast: m.contrast < limits.min_contrast,
    too_blurry: isBlurry,
    glare: m.clipped_bright_share > limits.glare_share,
    dim: m.mean_luminance < limits.dim_luminance,
    no_lesion: !hasLesion,
    lesion_at_edge: m.edge_share > limits.edge_share,
    lesion_fills_frame: m.lesion_share > limits.large_lesion_share,
    small_lesion: hasLesion && m.lesion_share < limits.small_lesion_share,
    hair: m.hair_share > limits.hair_share,
    ink: m.ink_share > limits.ink_share,
    soft_focus: !isBlurry && m.sharpness < limits.soft_sharpness,
  };
  return Object.keys(found).filter((code) => found[code]);
}

/** Share of how much two frames of one size differ: mean absolute difference of luminance, in [0, 1]. */
function movementBetween(before, after) {
  if (!before || before.width !== after.width || before.height !== after.height) return 0;
  let sum = 0;
  for (let i = 0; i < after.data.length; i += 1) sum += Math.abs(after.data[i] - before.data[i]);
  return sum / after.data.length / 255;
}

// --- light and focus

function measureSharpness(grey) {
  const { mean, variance } = momentsOf(grey.data);
  const gain = 150 / Math.min(Math.max(mean, 30), 150);
  const fine = detailOf(grey, 1.5);
  return {
    sharpness: fine / Math.max(detailOf(grey, 2.5), 1e-3),
    fine_detail: detailOf(grey, 1.0) * gain * gain,
    contrast: Math.sqrt(variance) / Math.max(mean, 1),
  };
}

/** Variance of the Laplacian after a Gaussian blur, two pixels off the border. */
function detailOf(grey, sigmaPx) {
  const { data, width, height } = blurPlane(grey, sigmaPx);
  const values = new Float32Array((width - 4) * (height - 4));
  let n = 0;
  for (let y = 2; y < height - 2; y += 1) {
    for (let i = y * width + 2; i < y * width + width - 2; i += 1, n += 1) {
      values[n] = data[i - 1] + data[i + 1] + data[i - width] + data[i + width] - 4 * data[i];
    }
  }
  return momentsOf(values).variance;
}

function momentsOf(values) {
  let sum = 0;
  let squares = 0;
  for (const value of values) {
    sum += value;
    squares += value * value;
  }
  const mean = sum / values.length;
  return { mean, variance: Math.max(squares / values.length - mean * mean, 0) };
}

function measureExposure(grey, square) {
  const values = [];
  for (let y = square.top; y < square.top + square.side; y += 1) {
    for (let x = square.left; x < square.left + square.side; x += 1) values.push(grey.data[y * grey.width + x]);
  }
  const share = (test) => values.filter(test).length / values.length;
  return {
    mean_luminance: momentsOf(values).mean,
    bright_luminance: percentileOf(values, 95),
    clipped_dark_share: share((value) => value < 8),
    clipped_bright_share: share((value) => value > 250),
  };
}

// --- hair and ink

/** Share of pixels on thin dark lines: a closing with a cross fills them, and what it filled is long and thin. */
function hairShare(grey, limits) {
  const { width, height } = grey;
  const arm = Math.round(Math.min(width, height) * 0.06) >> 1;
  const cross = [];
  for (let d = -arm; d <= arm; d += 1) cross.push([d, 0], [0, d]);
  const closed = morphPlane(morphPlane(grey.data, width, height, cross, 1), width, height, cross, -1);
  const lines = Uint8Array.from(closed, (value, i) => Number(value - grey.data[i] > limits.hair_depth));
  const { labels, count } = labelParts(lines, width, height);
  let area = 0;
  for (const box of boxesOf(labels, count, width)) {
    const diagonal = Math.hypot(box.right - box.left + 1, box.bottom - box.top + 1);
    if (diagonal >= 2 * (2 * arm + 1) && box.area < 0.25 * diagonal ** 2) area += box.area;
  }
  return area / labels.length;
}

/** Share of blue, green or violet pixels beside the spot; nothing is called ink where the light itself is blue. */
function inkShare(frame, lesion) {
  const lab = labOf(frame);
  const n = frame.width * frame.height;
  let [cold, warmth] = [0, 0];
  for (let i = 0; i < n; i += 1) {
    const a = lab[3 * i + 1] - 128;
    const b = lab[3 * i + 2] - 128;
    warmth += b / n;
    if (lab[3 * i] > 20 && (b < -8 || (a < -6 && Math.hypot(a, b) > 10)) && !(lesion && lesion.data[i])) cold += 1;
  }
  return warmth > 3 ? cold / n : 0;
}
