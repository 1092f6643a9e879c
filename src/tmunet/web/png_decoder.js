/** Decode PNG files into stored values: a canvas would multiply by alpha, apply color profiles and drop 16 bits. */

import { ImageError } from "./image_error.js";
import { exifOrientation } from "./orientation.js";

const SAMPLES = { 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 }; // of a pixel, by color type
const PASSES = [[0, 0, 8, 8], [4, 0, 8, 8], [0, 4, 4, 8], [2, 0, 4, 4], [0, 2, 2, 4], [1, 0, 2, 2], [0, 1, 1, 2]]; // x, y, steps
const DAMAGED = "the PNG file is cut short or damaged; copy it again from its source.";

/**
 * @param {Uint8Array} bytes of the file.
 * @param {(width: number, height: number) => void} checkSize throws for an image that is too large, before it is unpacked.
 * @returns {Promise<{width, height, channels, data: Uint8Array|Uint16Array, orientation: number}>} without alpha; a palette becomes
 *   RGB, or gray if all its colors are.
 */
export async function decodePng(bytes, checkSize) {
  const { header, palette, orientation, packed } = readChunks(bytes);
  checkSize(header.width, header.height);
  const raw = await inflate(packed);
  const stored = unpack(header, raw);
  const image = header.type === 3 ? colored(stored, palette) : withoutAlpha(header, stored);
  return { width: header.width, height: header.height, orientation, ...image };
}

/** Decompress a zlib stream; one that is damaged or goes on behind its end is an error. */
export async function inflate(bytes) {
  const blob = new Blob(Array.isArray(bytes) ? bytes : [bytes]);
  return new Uint8Array(await new Response(blob.stream().pipeThrough(new DecompressionStream("deflate"))).arrayBuffer());
}

function readChunks(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let header = null, palette = null, orientation = 1, at = 8, ended = false;
  const packed = [];
  while (!ended) {
    if (at + 12 > bytes.length || at + 12 + view.getUint32(at) > bytes.length) throw new ImageError(DAMAGED);
    const length = view.getUint32(at), data = bytes.subarray(at + 8, at + 8 + length);
    const kind = String.fromCharCode(...bytes.subarray(at + 4, at + 8));
    if (kind === "IHDR") header = readHeader(view, at + 8);
    else if (kind === "PLTE") palette = data;
    else if (kind === "IDAT") packed.push(data);
    else if (kind === "eXIf") orientation = exifOrientation(data);
    else if (kind === "acTL" && view.getUint32(at + 8) > 1) throw new ImageError("expected one image, but it is animated; save the one you need.");
    ended = kind === "IEND";
    at += 12 + length;
  }
  if (header === null || !packed.length) throw new ImageError(DAMAGED);
  return { header, palette, orientation, packed };
}

function readHeader(view, at) {
  const [width, height] = [view.getUint32(at), view.getUint32(at + 4)];
  const [depth, type, , , interlace] = [0, 1, 2, 3, 4].map((place) => view.getUint8(at + 8 + place));
  if (!(type in SAMPLES) || ![1, 2, 4, 8, 16].includes(depth) || interlace > 1) throw new ImageError(DAMAGED);
  return { width, height, depth, type, interlace, samples: SAMPLES[type] };
}

/** Undo filters and interlace: all samples as stored, one value each. */
function unpack({ width, height, depth, samples, interlace }, raw) {
  const out = depth === 16 ? new Uint16Array(width * height * samples) : new Uint8Array(width * height * samples);
  let at = 0;
  for (const [x0, y0, dx, dy] of interlace ? PASSES : [[0, 0, 1, 1]]) {
    const columns = Math.ceil((width - x0) / dx), rows = Math.ceil((height - y0) / dy);
    if (columns < 1 || rows < 1) continue;
    const length = Math.ceil((columns * samples * depth) / 8), step = Math.max(1, (samples * depth) >> 3);
    let above = new Uint8Array(length);
    for (let row = 0; row < rows; row++) {
      if (at + 1 + length > raw.length) throw new ImageError(DAMAGED);
      const line = raw.subarray(at + 1, at + 1 + length);
      unfilter(raw[at], line, above, step);
      place(line, out, { columns, samples, depth, start: ((y0 + row * dy) * width + x0) * samples, stride: dx * samples });
      above = line;
      at += 1 + length;
    }
  }
  return out;
}

function unfilter(kind, line, above, step) {
  if (kind > 4) throw new ImageError(DAMAGED);
  for (let i = 0; i < line.length; i++) {
    const left = i < step ? 0 : line[i - step], up = above[i], corner = i < step ? 0 : above[i - step];
    if (kind === 1) line[i] += left;
    else if (kind === 2) line[i] += up;
    else if (kind === 3) line[i] += (left + up) >> 1;
    else if (kind === 4) {
      const a = Math.abs(up - corner), b = Math.abs(left - corner), c = Math.abs(left + up - 2 * corner);
      line[i] += a <= b && a <= c ? left : b <= c ? up : corner;
    }
  }
}

function place(line, out, { columns, samples, depth, start, stride }) {
  for (let column = 0; column < columns; column++) {
    for (let sample = 0; sample < samples; sample++) {
      const index = column * samples + sample, bit = index * depth;
      out[start + column * stride + sample] =
        depth === 16 ? (line[2 * index] << 8) | line[2 * index + 1]
        : depth === 8 ? line[index]
        : (line[bit >> 3] >> (8 - depth - (bit & 7))) & ((1 << depth) - 1);
    }
  }
}

function withoutAlpha({ depth, samples }, stored) {
  const channels = samples - (samples % 2 === 0 ? 1 : 0);
  if (depth < 8) return { channels, data: stored.map((value) => (value * 255) / ((1 << depth) - 1)) };
  if (channels === samples) return { channels, data: stored };
  const data = new stored.constructor((stored.length / samples) * channels);
  for (let pixel = 0; pixel * samples < stored.length; pixel++) {
    for (let channel = 0; channel < channels; channel++) data[pixel * channels + channel] = stored[pixel * samples + channel];
  }
  return { channels, data };
}

function colored(indices, palette) {
  if (palette === null || indices.some((index) => 3 * index + 2 >= palette.length)) {
    throw new ImageError("a pixel asks for a color beyond the palette; the file is damaged: save it anew.");
  }
  return applyPalette(indices, palette);
}

/** Colors (R, G, B, R, ...) of indices; one gray channel if all colors of the palette are gray. */
export function applyPalette(indices, palette) {
  const gray = palette.every((value, place) => value === palette[place - (place % 3)]);
  const channels = gray ? 1 : 3, data = new Uint8Array(indices.length * channels);
  for (let pixel = 0; pixel < indices.length; pixel++) {
    for (let channel = 0; channel < channels; channel++) data[pixel * channels + channel] = palette[3 * indices[pixel] + channel];
  }
  return { channels, data };
}
