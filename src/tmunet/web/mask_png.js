/** Write masks as PNG files that `tmunet train` takes: two classes as gray 0 and 255, more as labels with a palette. */

import { crc32 } from "./checksum.js";

/**
 * @param {Uint8Array} labels (height, width).
 * @param {number[][]} colors of the classes.
 * @returns {Promise<Uint8Array>}
 */
export async function maskPng(labels, width, height, colors) {
  const binary = colors.length === 2, lines = new Uint8Array(height * (width + 1));
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) lines[y * (width + 1) + 1 + x] = labels[y * width + x] * (binary ? 255 : 1);
  }
  const packed = new Blob([lines]).stream().pipeThrough(new CompressionStream("deflate"));
  const header = new Uint8Array(13), view = new DataView(header.buffer);
  view.setUint32(0, width);
  view.setUint32(4, height);
  header.set([8, binary ? 0 : 3], 8);
  const chunks = [
    Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a),
    chunk("IHDR", header),
    ...(binary ? [] : [chunk("PLTE", Uint8Array.from(colors.flat()))]),
    chunk("IDAT", new Uint8Array(await new Response(packed).arrayBuffer())),
    chunk("IEND", new Uint8Array(0)),
  ];
  return new Uint8Array(await new Blob(chunks).arrayBuffer());
}

function chunk(kind, data) {
  const out = new Uint8Array(12 + data.length), view = new DataView(out.buffer);
  view.setUint32(0, data.length);
  out.set([...kind].map((letter) => letter.charCodeAt(0)), 4);
  out.set(data, 8);
  view.setUint32(8 + data.length, crc32(out.subarray(4, 8 + data.length)));
  return out;
}
