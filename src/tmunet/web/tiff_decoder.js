/** Decode TIFF files of one page with 1, 8 or 16 bits: uncompressed, PackBits, LZW and deflate, in strips or tiles. */

import { ImageError } from "./image_error.js";
import { applyPalette, inflate } from "./png_decoder.js";

const TAGS = {
  254: "kind", 256: "width", 257: "height", 258: "bits", 259: "compression", 262: "photometric", 266: "fillOrder", 270: "description",
  273: "offsets", 274: "orientation", 277: "samples", 278: "rowsPerStrip", 279: "counts", 284: "planar", 317: "predictor", 320: "colormap",
  322: "tileWidth", 323: "tileHeight", 324: "offsets", 325: "counts", 338: "extra", 339: "format",
};
const SIZES = { 1: 1, 2: 1, 3: 2, 4: 4 }; // bytes of a value: byte, text, 16 and 32 bits
const UNPACK = { 1: (bytes) => bytes, 5: unpackLzw, 8: inflate, 32946: inflate, 32773: unpackBits };
const DAMAGED = "the TIFF file is cut short or damaged; copy it again from its source.";
const SAVE = "save it as PNG.";

/**
 * @param {Uint8Array} bytes of the file.
 * @param {(width: number, height: number) => void} checkSize throws for an image that is too large, before it is unpacked.
 * @returns {Promise<{width, height, channels, data: Uint8Array|Uint16Array, orientation: number}>} without alpha; 0 is black.
 */
export async function decodeTiff(bytes, checkSize) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const little = bytes[0] === 0x49;
  if (view.getUint16(2, little) !== 42) throw new ImageError(`expected a plain TIFF, but it is a BigTIFF; ${SAVE}`);
  const page = readPage(bytes, view, little);
  checkSize(page.width, page.height);
  const stored = await readSamples(bytes, page, little);
  return { width: page.width, height: page.height, orientation: page.orientation, ...toImage(page, stored) };
}

function readPage(bytes, view, little) {
  const start = view.getUint32(4, little);
  if (start < 8 || start + 6 > bytes.length) throw new ImageError(DAMAGED);
  const entries = view.getUint16(start, little), found = {};
  if (start + 6 + 12 * entries > bytes.length) throw new ImageError(DAMAGED);
  for (let entry = start + 2; entry < start + 2 + 12 * entries; entry += 12) {
    const name = TAGS[view.getUint16(entry, little)], type = view.getUint16(entry + 2, little), count = view.getUint32(entry + 4, little);
    if (name === undefined || !(type in SIZES)) continue;
    const at = SIZES[type] * count > 4 ? view.getUint32(entry + 8, little) : entry + 8;
    if (at + SIZES[type] * count > bytes.length) throw new ImageError(DAMAGED);
    const read = type === 3 ? (i) => view.getUint16(at + 2 * i, little) : type === 4 ? (i) => view.getUint32(at + 4 * i, little) : (i) => bytes[at + i];
    found[name] = Array.from({ length: count }, (_, i) => read(i));
  }
  if (view.getUint32(start + 2 + 12 * entries, little) !== 0) throw new ImageError(`expected one image, but the TIFF has several pages; save each as a file.`);
  return checkPage(found);
}

function checkPage(found) {
  const first = (name, otherwise) => (found[name] ?? [otherwise])[0];
  const samples = first("samples", 1), bits = first("bits", 1), extra = found.extra ?? [];
  const page = {
    width: first("width", 0), height: first("height", 0), samples, bits, extra,
    photometric: first("photometric", samples - extra.length >= 3 ? 2 : 1), compression: first("compression", 1),
    planar: first("planar", 1) === 2 && samples > 1, predictor: first("predictor", 1), orientation: first("orientation", 1),
    offsets: found.offsets ?? [], counts: found.counts ?? [], colormap: found.colormap, tiled: found.tileWidth !== undefined,
  };
  page.blockWidth = page.tiled ? first("tileWidth", 0) : page.width;
  page.blockHeight = page.tiled ? first("tileHeight", 0) : Math.min(first("rowsPerStrip", page.height), page.height);
  const text = String.fromCharCode(...(found.description ?? []).slice(0, 2000));
  const stack = /^ImageJ=[^]*^images=(\d+)/m.exec(text);
  if (stack && Number(stack[1]) > 1) throw new ImageError(`expected one image, but it is an ImageJ stack of ${stack[1]}; save each as a file.`);
  const equal = (found.bits ?? []).every((value) => value === bits) && (found.format ?? []).every((value) => value === 1);
  if (!equal || ![1, 8, 16].includes(bits) || (bits === 1 && samples > 1)) {
    throw new ImageError(`expected unsigned TIFF samples of 8 or 16 bits, but found others (${(found.bits ?? [bits]).join(", ")} bits); ${SAVE}`);
  }
  if (![0, 1, 2, 3].includes(page.photometric) || (page.photometric === 3 && (bits === 16 || !page.colormap))) {
    throw new ImageError(`the TIFF's color model (photometric interpretation ${page.photometric}) is not gray, RGB or palette; ${SAVE}`);
  }
  if (!(page.compression in UNPACK) || ![1, 2].includes(page.predictor) || first("fillOrder", 1) !== 1) {
    throw new ImageError(`TIFF with compression ${page.compression} and predictor ${page.predictor} is not supported here; ${SAVE}`);
  }
  if (page.width < 1 || page.height < 1 || page.blockWidth < 1 || page.blockHeight < 1 || samples < 1) throw new ImageError(DAMAGED);
  return page;
}

/** All samples, those of a pixel side by side. */
async function readSamples(bytes, page, little) {
  const { width, height, samples, bits, blockWidth, blockHeight, planar } = page;
  const across = Math.ceil(width / blockWidth), down = Math.ceil(height / blockHeight), planes = planar ? samples : 1;
  const each = planar ? 1 : samples, line = Math.ceil((blockWidth * each * bits) / 8);
  if (page.offsets.length < across * down * planes || page.counts.length < page.offsets.length) throw new ImageError(DAMAGED);
  const out = bits === 16 ? new Uint16Array(width * height * samples) : new Uint8Array(width * height * samples);
  for (let block = 0; block < across * down * planes; block++) {
    const plane = Math.floor(block / (across * down)), place = block % (across * down);
    const y0 = Math.floor(place / across) * blockHeight, x0 = (place % across) * blockWidth;
    const rows = Math.min(blockHeight, height - y0), columns = Math.min(blockWidth, width - x0);
    const [offset, count] = [page.offsets[block], page.counts[block]];
    if (offset < 1 || count < 1 || offset + count > bytes.length) throw new ImageError(DAMAGED);
    const raw = await UNPACK[page.compression](bytes.subarray(offset, offset + count));
    if (raw.length < line * rows) throw new ImageError(DAMAGED);
    for (let row = 0; row < rows; row++) {
      const values = readLine(raw.subarray(row * line, (row + 1) * line), bits, blockWidth * each, little);
      if (page.predictor === 2) for (let i = each; i < values.length; i++) values[i] += values[i - each];
      for (let i = 0; i < columns * each; i++) {
        out[((y0 + row) * width + x0 + Math.floor(i / each)) * samples + (planar ? plane : i % each)] = values[i];
      }
    }
  }
  return out;
}

function readLine(raw, bits, count, little) {
  if (bits === 8) return raw.slice();
  if (bits === 1) return Uint8Array.from({ length: count }, (_, i) => (raw[i >> 3] >> (7 - (i & 7))) & 1);
  const [high, low] = little ? [1, 0] : [0, 1];
  return Uint16Array.from({ length: count }, (_, i) => (raw[2 * i + high] << 8) | raw[2 * i + low]);
}

function toImage({ samples, bits, extra, photometric, colormap }, stored) {
  if (photometric === 3) {
    const colors = colormap.length / 3, wide = colormap.some((value) => value > 255); // some writers store 8 bits
    if (stored.some((index) => index >= colors)) throw new ImageError(DAMAGED);
    return applyPalette(stored, Uint8Array.from({ length: 3 * colors }, (_, i) => colormap[(i % 3) * colors + Math.floor(i / 3)] >> (wide ? 8 : 0)));
  }
  const white = bits === 16 ? 65535 : 255;
  if (bits === 1) for (let i = 0; i < stored.length; i++) stored[i] *= 255;
  if (photometric === 0 && samples - extra.length === 1) for (let i = 0; i < stored.length; i++) stored[i] = white - stored[i];
  const kept = Array.from({ length: samples }, (_, i) => i).filter((i) => ![1, 2].includes(extra[i - (samples - extra.length)]));
  if (kept.length === samples) return { channels: samples, data: stored };
  const data = new stored.constructor((stored.length / samples) * kept.length);
  for (let pixel = 0; pixel * samples < stored.length; pixel++) kept.forEach((sample, i) => (data[pixel * kept.length + i] = stored[pixel * samples + sample]));
  return { channels: kept.length, data };
}

function unpackBits(bytes) {
  const out = [];
  for (let at = 0; at < bytes.length; ) {
    const count = bytes[at++];
    if (count < 128) {
      for (const end = at + count + 1; at < end; at++) out.push(bytes[at]);
    } else if (count > 128) {
      for (let i = 0; i < 257 - count; i++) out.push(bytes[at]);
      at++;
    }
  }
  return Uint8Array.from(out);
}

/** LZW as in TIFF 6.0, section 13: codes of 9 to 12 bits, the highest bit first. */
function unpackLzw(bytes) {
  let table = [], size = 9, before = null, bit = 0;
  const parts = [];
  const reset = () => ((table = Array.from({ length: 258 }, (_, i) => Uint8Array.of(i))), (size = 9), (before = null));
  reset();
  while (bit + size <= 8 * bytes.length) {
    const at = bit >> 3, window = (bytes[at] << 16) | ((bytes[at + 1] ?? 0) << 8) | (bytes[at + 2] ?? 0);
    const code = (window >> (24 - size - (bit & 7))) & ((1 << size) - 1);
    bit += size;
    if (code === 257) break;
    if (code === 256) {
      reset();
      continue;
    }
    if (code > table.length || (code === table.length && before === null)) throw new ImageError(DAMAGED);
    if (before !== null) table.push(Uint8Array.of(...before, (table[code] ?? before)[0]));
    before = table[code];
    parts.push(before);
    if (table.length >= (1 << size) - 1 && size < 12) size++;
  }
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) out.set(part, at), (at += part.length);
  return out;
}
