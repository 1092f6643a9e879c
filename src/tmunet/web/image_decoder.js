/** Decode PNG, JPEG and TIFF files by their first bytes into upright 8- or 16-bit values. */

import { ImageError } from "./image_error.js";
import { upright } from "./orientation.js";
import { decodePng } from "./png_decoder.js";
import { decodeTiff } from "./tiff_decoder.js";

export const MAX_PIXELS = 50_000_000; // what phones and browsers hold; `tmunet predict` takes more

/**
 * @param {Blob} file
 * @returns {Promise<{width, height, channels, data: Uint8Array|Uint16Array}>} channels of a pixel side by side, without alpha.
 */
export async function decodeImage(file) {
  const bytes = new Uint8Array(await file.arrayBuffer());
  const start = String.fromCharCode(...bytes.subarray(0, 4));
  try {
    if (start === "\x89PNG") return upright(await decodePng(bytes, checkSize));
    if (["II*\0", "MM\0*", "II+\0", "MM\0+"].includes(start)) return upright(await decodeTiff(bytes, checkSize));
    if (start.startsWith("\xff\xd8\xff")) return await decodeJpeg(file);
  } catch (error) {
    if (error instanceof ImageError) throw error;
    throw new ImageError(`cannot be decoded (${error.message}); the file is cut short or damaged: copy it again, or save it as PNG.`);
  }
  throw new ImageError("expected a PNG, JPEG or TIFF image; save it as PNG.");
}

function checkSize(width, height) {
  if (width < 1 || height < 1) throw new ImageError("the file declares an image without pixels.");
  if (width * height > MAX_PIXELS) {
    throw new ImageError(`has ${width} x ${height} pixels, more than the ${MAX_PIXELS / 1e6} million that this page takes; use tmunet predict.`);
  }
}

/** The browser's own decoder, without color management: it differs from Pillow's by 1 in some pixels. */
async function decodeJpeg(file) {
  const bitmap = await createImageBitmap(file, { colorSpaceConversion: "none", premultiplyAlpha: "none" });
  try {
    const { width, height } = bitmap;
    checkSize(width, height);
    const canvas = new OffscreenCanvas(width, height), context = canvas.getContext("2d", { willReadFrequently: true });
    context.drawImage(bitmap, 0, 0);
    const rgba = context.getImageData(0, 0, width, height).data, data = new Uint8Array(width * height * 3);
    for (let i = 0; i < width * height; i++) data.set(rgba.subarray(4 * i, 4 * i + 3), 3 * i);
    return { width, height, channels: 3, data };
  } finally {
    bitmap.close();
  }
}
