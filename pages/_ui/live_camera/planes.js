// Arithmetic over pixels, written to give what OpenCV gives in dermascan_core/imaging: a frame is {data, width, height} in
// RGBA, a plane the same with one value a pixel. No limits, no words.

/** Area-average a frame to a short side of `sidePx`, as cv2.INTER_AREA does; a smaller one stays as it is. */
function shrinkFrame(frame, sidePx) {
  const scale = sidePx / Math.min(frame.width, frame.height);
  const width = Math.max(1, Math.round(frame.width * scale));
  const height = Math.max(1, Math.round(frame.height * scale));
  if (scale >= 1) return { data: frame.data, width: frame.width, height: frame.height };
  const columns = overlaps(frame.width, width);
  const rows = overlaps(frame.height, height);
  const across = new Float32Array(3 * width * frame.height);
  for (let y = 0; y < frame.height; y += 1) {
    for (let k = 0; k < columns.from.length; k += 1) {
      const source = 4 * (y * frame.width + columns.from[k]);
      const target = 3 * (y * width + columns.to[k]);
      for (let c = 0; c < 3; c += 1) across[target + c] += columns.share[k] * frame.data[source + c];
    }
  }
  const sums = new Float32Array(3 * width * height);
  for (let k = 0; k < rows.from.length; k += 1) {
    const [source, target] = [3 * width * rows.from[k], 3 * width * rows.to[k]];
    for (let i = 0; i < 3 * width; i += 1) sums[target + i] += rows.share[k] * across[source + i];
  }
  const data = new Uint8ClampedArray(4 * width * height).fill(255);
  for (let i = 0; i < width * height; i += 1) {
    for (let c = 0; c < 3; c += 1) data[4 * i + c] = sums[3 * i + c]; // a clamped array rounds by itself
  }
  return { data, width, height };
}

/** Which of `fromSize` pixels lie, with which share, under which of `toSize` larger ones. */
function overlaps(fromSize, toSize) {
  const found = { from: [], to: [], share: [] };
  const step = fromSize / toSize;
  for (let to = 0; to < toSize; to += 1) {
    const start = to * step;
    const end = Math.min(start + step, fromSize);
    for (let from = Math.floor(start); from < end - 1e-6; from += 1) {
      found.from.push(from);
      found.to.push(to);
      found.share.push((Math.min(end, from + 1) - Math.max(start, from)) / step);
    }
  }
  return found;
}

function greyOf(frame) {
  const data = new Float32Array(frame.width * frame.height);
  for (let i = 0; i < data.length; i += 1) {
    const p = 4 * i;
    data[i] = Math.round(0.299 * frame.data[p] + 0.587 * frame.data[p + 1] + 0.114 * frame.data[p + 2]);
  }
  return { data, width: frame.width, height: frame.height };
}

/** Lab of each pixel on OpenCV's 8-bit scale: L in [0, 255], a and b around 128. */
function labOf(frame) {
  const linear = Float32Array.from({ length: 256 }, (_, v) =>
    v / 255 <= 0.04045 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4,
  );
  const f = (t) => (t > 0.008856 ? Math.cbrt(t) : 7.787 * t + 16 / 116);
  const lab = new Float32Array(3 * frame.width * frame.height);
  for (let i = 0; i < frame.width * frame.height; i += 1) {
    const r = linear[frame.data[4 * i]];
    const g = linear[frame.data[4 * i + 1]];
    const b = linear[frame.data[4 * i + 2]];
    const fx = f((0.412453 * r + 0.35758 * g + 0.180423 * b) / 0.950456);
    const fy = f(0.212671 * r + 0.71516 * g + 0.072169 * b);
    const fz = f((0.019334 * r + 0.119193 * g + 0.950227 * b) / 1.088754);
    lab[3 * i] = Math.round((116 * fy - 16) * 2.55);
    lab[3 * i + 1] = Math.round(500 * (fx - fy) + 128);
    lab[3 * i + 2] = Math.round(200 * (fy - fz) + 128);
  }
  return lab;
}

/** Gaussian blur of a plane, mirrored at the border without its edge pixel, as cv2.GaussianBlur does. */
function blurPlane(plane, sigmaPx) {
  const radius = Math.round(sigmaPx * 8 + 1) >> 1;
  const kernel = Array.from({ length: 2 * radius + 1 }, (_, i) => Math.exp(-((i - radius) ** 2) / (2 * sigmaPx ** 2)));
  const total = kernel.reduce((sum, weight) => sum + weight, 0);
  const weights = Float64Array.from(kernel, (weight) => weight / total);
  const { width, height } = plane;
  const across = blurLines(plane.data, weights, { size: width, stride: 1, lines: height, lineStride: width });
  const both = blurLines(across, weights, { size: height, stride: width, lines: width, lineStride: 1 });
  return { data: both, width, height };
}

function blurLines(source, weights, { size, stride, lines, lineStride }) {
  const radius = weights.length >> 1;
  const mirrored = Int32Array.from({ length: size + 2 * radius }, (_, i) => stride * mirror(i - radius, size));
  const out = new Float32Array(source.length);
  for (let line = 0; line < lines; line += 1) {
    const base = line * lineStride;
    for (let at = 0; at < size; at += 1) {
      let sum = 0;
      for (let k = 0; k < weights.length; k += 1) sum += weights[k] * source[base + mirrored[at + k]];
      out[base + at * stride] = sum;
    }
  }
  return out;
}

function mirror(index, size) {
  if (size === 1) return 0;
  const period = 2 * (size - 1);
  const inside = ((index % period) + period) % period;
  return inside < size ? inside : period - inside;
}

/** Median over 7 x 7 pixels of each channel, by a histogram that slides along the row. */
function medianFrame(frame) {
  const { width, height, data } = frame;
  const out = new Uint8ClampedArray(data.length);
  const histogram = new Int32Array(256);
  const rows = new Int32Array(7);
  for (let c = 0; c < 3; c += 1) {
    for (let y = 0; y < height; y += 1) {
      for (let k = 0; k < 7; k += 1) rows[k] = Math.min(Math.max(y + k - 3, 0), height - 1) * width;
      histogram.fill(0);
      for (let x = -3; x <= 3; x += 1) countColumn(histogram, data, rows, Math.max(x, 0), c, 1);
      for (let x = 0; x < width; x += 1) {
        let seen = 0;
        let value = -1;
        while (seen < 25) seen += histogram[(value += 1)];
        out[4 * (y * width + x) + c] = value;
        countColumn(histogram, data, rows, Math.max(x - 3, 0), c, -1);
        countColumn(histogram, data, rows, Math.min(x + 4, width - 1), c, 1);
      }
    }
  }
  return { data: out, width, height };
}

function countColumn(histogram, data, rows, x, channel, by) {
  for (let k = 0; k < rows.length; k += 1) histogram[data[4 * (rows[k] + x) + channel]] += by;
}

/** Smallest (`sign` -1) or largest (1) value under a shape around each pixel; outside the plane nothing counts. */
function morphPlane(data, width, height, shape, sign) {
  const out = data.slice();
  for (const [dx, dy] of shape) {
    const left = Math.max(0, -dx);
    const right = Math.min(width, width - dx);
    for (let y = Math.max(0, -dy); y < Math.min(height, height - dy); y += 1) {
      const shift = dy * width + dx;
      for (let i = y * width + left; i < y * width + right; i += 1) {
        if (sign * data[i + shift] > sign * out[i]) out[i] = data[i + shift];
      }
    }
  }
  return out;
}

/** Number the parts of a mask that hang together over edges or corners, from 1. */
function labelParts(mask, width, height) {
  const labels = new Int32Array(mask.length);
  let count = 0;
  for (let start = 0; start < mask.length; start += 1) {
    if (!mask[start] || labels[start]) continue;
    count += 1;
    labels[start] = count;
    const open = [start];
    while (open.length) {
      const at = open.pop();
      const x = at % width;
      const y = (at - x) / width;
      for (let ny = Math.max(y - 1, 0); ny <= Math.min(y + 1, height - 1); ny += 1) {
        for (let nx = Math.max(x - 1, 0); nx <= Math.min(x + 1, width - 1); nx += 1) {
          const next = ny * width + nx;
          if (mask[next] && !labels[next]) {
            labels[next] = count;
            open.push(next);
          }
        }
      }
    }
  }
  return { labels, count };
}

/** Bounding box, area and sums of coordinates of each numbered part. */
function boxesOf(labels, count, width) {
  const boxes = Array.from({ length: count }, () => {
    return { left: width, right: -1, top: Infinity, bottom: -1, area: 0, sumX: 0, sumY: 0 };
  });
  for (let i = 0; i < labels.length; i += 1) {
    if (!labels[i]) continue;
    const box = boxes[labels[i] - 1];
    const x = i % width;
    const y = (i - x) / width;
    box.left = Math.min(box.left, x);
    box.right = Math.max(box.right, x);
    box.top = Math.min(box.top, y);
    box.bottom = Math.max(box.bottom, y);
    box.area += 1;
    box.sumX += x;
    box.sumY += y;
  }
  return boxes;
}

function fillHoles(mask, width, height) {
  const outside = new Uint8Array(mask.length);
  const open = [];
  const visit = (x, y) => {
    const i = y * width + x;
    if (x < 0 || y < 0 || x >= width || y >= height || mask[i] || outside[i]) return;
    outside[i] = 1;
    open.push(i);
  };
  for (let x = 0; x < width; x += 1) [0, height - 1].forEach((y) => visit(x, y));
  for (let y = 0; y < height; y += 1) [0, width - 1].forEach((x) => visit(x, y));
  while (open.length) {
    const at = open.pop();
    const [x, y] = [at % width, Math.floor(at / width)];
    [[x - 1, y], [x + 1, y], [x, y - 1], [x, y + 1]].forEach(([nx, ny]) => visit(nx, ny));
  }
  return mask.map((_, i) => Number(!outside[i]));
}

function percentileOf(values, percent) {
  const sorted = Float32Array.from(values).sort();
  const place = (percent / 100) * (sorted.length - 1);
  const low = Math.floor(place);
  const high = Math.min(low + 1, sorted.length - 1);
  return sorted[low] + (place - low) * (sorted[high] - sorted[low]);
}
