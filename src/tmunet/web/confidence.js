/** Confidence of a mask: soft Dice with its probabilities, expected Dice by the calibration, reasons for review. As Python's. */

import { white } from "./preprocess.js";

const REVIEW_DICE = 0.7, REVIEW_AGREEMENT = 0.8; // a mask below is flagged: expected Dice; without a calibration, soft Dice
const MAX_SCALE_FACTOR = 1.5; // between the scale of an image and those of the training images
const APPEARANCE_MARGIN = 1.05;
const SMALL_PART = 8; // a 16-bit image below an eighth of its range is dark

/** 2 sum(p m) / (sum p + sum m), the mean over the classes in the mask; 0 for a mask without foreground. */
export function softDice(planes, labels) {
  const scores = [];
  for (let label = 1; label < planes.length; label++) {
    let inside = 0, total = 0, area = 0;
    for (let i = 0; i < labels.length; i++) {
      total += planes[label][i];
      if (labels[i] === label) (inside += planes[label][i]), area++;
    }
    if (area) scores.push((2 * inside) / (total + area));
  }
  return scores.length ? round(scores.reduce((sum, score) => sum + score, 0) / scores.length, 6) : 0;
}

/**
 * @param {number} agreement soft Dice.
 * @param {boolean} found whether the mask has foreground.
 * @param {object|null} calibration of the model, if it was fitted at the threshold of the mask.
 * @param {string[]} shifts how the image differs from the training images.
 */
export function confidenceOf(agreement, found, calibration, shifts) {
  const expected = calibration === null ? null : expectedDice(agreement, calibration);
  const low = calibration === null ? agreement < REVIEW_AGREEMENT : agreement < calibration.review || expected < REVIEW_DICE;
  const reasons = found ? (low ? ["low agreement"] : []) : ["nothing found"];
  const known = calibration !== null && found;
  return {
    agreement: round(agreement, 4),
    expected_dice: known ? round(expected, 4) : null,
    error: known ? round(calibration.error, 4) : null,
    flags: [...reasons, ...shifts],
  };
}

/** Interpolate the calibration; below its lowest agreement on a line to 0 at 0. */
function expectedDice(agreement, { agreement: known, dice }) {
  const [xs, ys] = [[0, ...known], [0, ...dice]];
  if (agreement >= xs[xs.length - 1]) return ys[ys.length - 1];
  const above = Math.max(1, xs.findIndex((x) => x >= agreement));
  const width = xs[above] - xs[above - 1];
  return ys[above - 1] + (width ? ((agreement - xs[above - 1]) / width) * (ys[above] - ys[above - 1]) : 0);
}

/**
 * @param {object} image with the model's channels, at its original size.
 * @param {object} resized at the size of the network's input.
 * @param {object} about model.json.
 * @returns {string[]} size, intensity, brightness, contrast, blur, noise.
 */
export function shiftFlags(image, resized, about) {
  const flags = [];
  if (about.scale !== null && distance(scaleFactor(image, about)) > MAX_SCALE_FACTOR) flags.push("size");
  if (about.normalize !== "image" && hasOtherRange(image, about.intensity)) flags.push("intensity");
  if (about.appearance === null) return flags;
  const { lowest, highest } = about.appearance, found = appearance(resized);
  const below = (name) => lowest[name] !== null && found[name] < lowest[name] / APPEARANCE_MARGIN; // null of an older model
  const above = (name) => found[name] > highest[name] * APPEARANCE_MARGIN;
  for (const name of ["brightness", "contrast"]) if (below(name) || above(name)) flags.push(name);
  if (below("sharpness") || below("fine_detail")) flags.push("blur");
  if (above("sharpness")) flags.push("noise");
  return flags;
}

const distance = (factor) => Math.max(factor, 1 / factor);

function scaleFactor({ width, height }, { size, scale }) {
  const factors = [[size / height, scale.height], [size / width, scale.width]].map(
    ([found, known]) => found / Math.min(Math.max(found, known.lowest), known.highest),
  );
  return distance(factors[0]) >= distance(factors[1]) ? factors[0] : factors[1];
}

function hasOtherRange(image, trained) {
  let lowest = Infinity, highest = -Infinity;
  for (const value of image.data) (lowest = Math.min(lowest, value)), (highest = Math.max(highest, value));
  if (lowest === highest) return false;
  const isDark = ({ bits, highest }) => bits === 16 && highest < 1 / SMALL_PART;
  const known = trained.length ? trained.map(isDark) : [false];
  return !known.includes(isDark({ bits: white(image) === 65535 ? 16 : 8, highest: highest / white(image) }));
}

/**
 * Of the mean of the channels: mean, standard deviation, standard deviation of the Laplacian divided by it, and standard deviation
 * of the Laplacian at half resolution divided by that at a quarter.
 */
export function appearance(image) {
  const { width, height, channels, data } = image, gray = new Float32Array(width * height);
  for (let i = 0; i < gray.length; i++) {
    let sum = 0;
    for (let channel = 0; channel < channels; channel++) sum += data[i * channels + channel];
    gray[i] = sum / channels / white(image);
  }
  const { mean: brightness, sd: contrast } = spread(gray), whole = { width, height, gray };
  const half = halve(whole), coarse = laplacianSd(halve(half));
  return {
    brightness, contrast,
    sharpness: contrast ? laplacianSd(whole) / contrast : 0,
    fine_detail: coarse ? laplacianSd(half) / coarse : 0,
  };
}

/** The means of blocks of 2 x 2 pixels; the last row and column of an odd side are left out. */
function halve({ width: before, height: rows, gray }) {
  const width = Math.floor(before / 2), height = Math.floor(rows / 2), found = new Float32Array(width * height);
  for (let i = 0; i < found.length; i++) {
    const at = 2 * (Math.floor(i / width) * before + (i % width));
    found[i] = (gray[at] + gray[at + 1] + gray[at + before] + gray[at + before + 1]) / 4;
  }
  return { width, height, gray: found };
}

/** Standard deviation of the Laplacian; 0 for an image without inner pixels. */
function laplacianSd({ width, height, gray }) {
  const laplacian = [];
  for (let y = 1; y < height - 1; y++) {
    for (let i = y * width + 1; i < (y + 1) * width - 1; i++) laplacian.push(gray[i - width] + gray[i + width] + gray[i - 1] + gray[i + 1] - 4 * gray[i]);
  }
  return laplacian.length ? spread(laplacian).sd : 0;
}

function spread(values) {
  let sum = 0, squares = 0;
  for (const value of values) sum += value;
  const mean = sum / values.length;
  for (const value of values) squares += (value - mean) ** 2;
  return { mean, sd: Math.sqrt(squares / values.length) };
}

function round(value, digits) {
  return Number(value.toFixed(digits));
}
