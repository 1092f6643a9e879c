/** Preprocess an image as Python does: channels, resize as Pillow, normalize. */

const FLOOR = 1e-3 / 257; // of a standard deviation: a quarter of a 16-bit gray level
const PRECISION = 22; // bits of Pillow's weights for 8-bit images

/** Largest value of an image's type. */
export const white = (image) => (image.data instanceof Uint16Array ? 65535 : 255);

/** Convert between gray and RGB: gray is repeated, RGB becomes the luma of ITU-R BT.601. */
export function toChannels(image, channels) {
  const { width, height, data } = image;
  if (image.channels === channels) return image;
  const count = width * height;
  const out = new data.constructor(count * channels);
  if (image.channels === 1 && channels === 3) {
    for (let i = 0; i < count; i++) out[3 * i] = out[3 * i + 1] = out[3 * i + 2] = data[i];
  } else if (image.channels === 3 && channels === 1) {
    for (let i = 0; i < count; i++) out[i] = Math.floor((299 * data[3 * i] + 587 * data[3 * i + 1] + 114 * data[3 * i + 2] + 500) / 1000);
  } else {
    throw new Error(`expected an image of ${channels} channels, but it has ${image.channels}.`);
  }
  return { width, height, channels, data: out };
}

/** Resize bilinearly with anti-aliasing: the values of Pillow's `resize`, channel by channel, rounded as they are in Python. */
export function resizeImage(image, side) {
  const { width, height, channels } = image;
  if (width === side && height === side) return image;
  const exact = image.data instanceof Uint16Array; // as 32-bit floats, rounded once at the end
  let data = exact ? Float32Array.from(image.data) : image.data;
  const across = (lines) => (data = resizeAxis(data, { lines, length: width, step: channels, line: width * channels, side, channels, along: true }));
  const down = (columns) => (data = resizeAxis(data, { lines: columns, length: height, step: columns * channels, line: channels, side, channels, along: false }));
  if (height > side && height - side > 2 * (width - side)) { // the order of Pillow 13, which matters since 8 bits are rounded in between
    down(width);
    if (width !== side) across(side);
  } else {
    if (width !== side) across(height);
    if (height !== side) down(side);
  }
  return { width: side, height: side, channels, data: exact ? Uint16Array.from(data, roundHalfToEven) : data };
}

function roundHalfToEven(value) {
  const floor = Math.floor(value);
  return value - floor === 0.5 ? floor + (floor % 2) : Math.round(value);
}

function resizeAxis(data, { lines, length, step, line, side, channels, along }) {
  const exact = data instanceof Float32Array, out = new data.constructor(lines * side * channels);
  const outStep = along ? channels : lines * channels, outLine = along ? side * channels : channels;
  for (let at = 0; at < side; at++) {
    const { first, shares } = weights(at, length, side);
    const whole = shares.map((share) => Math.trunc((share < 0 ? -0.5 : 0.5) + share * 2 ** PRECISION));
    for (let l = 0; l < lines; l++) {
      for (let channel = 0; channel < channels; channel++) {
        let sum = exact ? 0 : 1 << (PRECISION - 1);
        for (let k = 0, from = l * line + first * step + channel; k < shares.length; k++, from += step) sum += data[from] * (exact ? shares[k] : whole[k]);
        out[l * outLine + at * outStep + channel] = exact ? sum : Math.min(255, sum >> PRECISION);
      }
    }
  }
  return out;
}

/** Weights of a triangle as wide as two pixels of the coarser grid. */
function weights(at, length, side) {
  const scale = length / side, support = Math.max(scale, 1), center = (at + 0.5) * scale;
  const first = Math.max(0, Math.trunc(center - support + 0.5)), end = Math.min(length, Math.trunc(center + support + 0.5));
  const shares = Array.from({ length: end - first }, (_, k) => Math.max(0, 1 - Math.abs((k + first - center + 0.5) * (1 / support))));
  const sum = shares.reduce((total, share) => total + share, 0);
  return { first, shares: shares.map((share) => share / sum) };
}

/** Scale to [0, 1] and normalize: (H, W, C) integers -> C planes of float32, the network's input. */
export function normalizeImage(image, by) {
  const { width, height, channels, data } = image, area = width * height, top = white(image);
  const out = new Float32Array(area * channels);
  for (let channel = 0; channel < channels; channel++) {
    for (let i = 0; i < area; i++) out[channel * area + i] = data[i * channels + channel] / top;
  }
  if (by === "image") {
    const { mean, sd } = meanAndDeviation(out);
    for (let i = 0; i < out.length; i++) out[i] = (out[i] - Math.fround(mean)) / Math.fround(Math.max(sd, FLOOR));
  } else {
    for (let i = 0; i < out.length; i++) {
      const channel = by.mean.length > 1 ? Math.floor(i / area) : 0;
      out[i] = Math.fround(out[i] - Math.fround(by.mean[channel])) / Math.fround(by.sd[channel]);
    }
  }
  return out;
}

/** Mean, and standard deviation with one degree of freedom less. */
function meanAndDeviation(values) {
  let sum = 0, squares = 0;
  for (const value of values) sum += value;
  const mean = sum / values.length;
  for (const value of values) squares += (value - mean) ** 2;
  return { mean, sd: Math.sqrt(squares / (values.length - 1)) };
}
