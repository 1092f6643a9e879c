/** Logits to probabilities to labels, as Python does; two classes keep the plane of the foreground only. */

/**
 * @param {Float32Array} logits (1 or K, h, w), one after the other.
 * @param {number} area h * w.
 * @returns {(Float32Array|null)[]} a plane for each class; null for the background of two classes.
 */
export function probabilities(logits, area) {
  for (const value of logits) if (!Number.isFinite(value)) throw new Error("the network gives values that are not finite: its weights are damaged.");
  if (logits.length === area) return [null, Float32Array.from(logits, (value) => 1 / (1 + Math.exp(-value)))];
  const classes = logits.length / area, planes = Array.from({ length: classes }, () => new Float32Array(area));
  for (let i = 0; i < area; i++) {
    let highest = -Infinity, sum = 0;
    for (let label = 0; label < classes; label++) highest = Math.max(highest, logits[label * area + i]);
    for (let label = 0; label < classes; label++) sum += planes[label][i] = Math.exp(logits[label * area + i] - highest);
    for (let label = 0; label < classes; label++) planes[label][i] /= sum;
  }
  return classes === 2 ? [null, planes[1]] : planes;
}

/** Resize a plane (side, side) bilinearly to (height, width) as torch does: corners not aligned, no anti-aliasing. */
export function resizePlane(plane, side, width, height) {
  if (plane === null || (width === side && height === side)) return plane;
  const xs = sources(side, width), ys = sources(side, height), out = new Float32Array(width * height);
  for (let y = 0; y < height; y++) {
    const upper = ys.low[y] * side, lower = ys.high[y] * side, down = ys.share[y];
    for (let x = 0; x < width; x++) {
      const left = xs.low[x], right = xs.high[x], across = xs.share[x];
      const top = plane[upper + left] * (1 - across) + plane[upper + right] * across;
      const bottom = plane[lower + left] * (1 - across) + plane[lower + right] * across;
      out[y * width + x] = top * (1 - down) + bottom * down;
    }
  }
  return out;
}

function sources(side, length) {
  const scale = Math.fround(side / length), low = new Int32Array(length), high = new Int32Array(length), share = new Float32Array(length);
  for (let i = 0; i < length; i++) {
    const at = Math.max(0, Math.fround(Math.fround(scale * Math.fround(i + 0.5)) - 0.5));
    low[i] = Math.min(Math.floor(at), side - 1);
    high[i] = Math.min(low[i] + 1, side - 1);
    share[i] = at - low[i];
  }
  return { low, high, share };
}

/** Labels of pixels: above the threshold for two classes, else the class of the highest probability. */
export function labelsOf(planes, threshold) {
  const last = planes[planes.length - 1], labels = new Uint8Array(last.length);
  if (planes.length === 2) {
    const bound = Math.fround(threshold); // torch compares in float32
    for (let i = 0; i < labels.length; i++) labels[i] = last[i] > bound ? 1 : 0;
    return labels;
  }
  for (let i = 0; i < labels.length; i++) {
    for (let label = 1; label < planes.length; label++) if (planes[label][i] > planes[labels[i]][i]) labels[i] = label;
  }
  return labels;
}
