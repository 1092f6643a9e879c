/** Write zip archives without compression: images, masks and JSON are small or compressed already. */

import { crc32 } from "./checksum.js";

const BEFORE_1980 = 0x21; // the earliest day that a zip holds: the same files give the same bytes
const UTF8 = 0x800;

/** @param {{name: string, content: Uint8Array}[]} files of less than 4 GB in all. */
export function zip(files) {
  const parts = [], directory = [];
  let offset = 0;
  for (const { name, content } of files) {
    const path = new TextEncoder().encode(name), sum = crc32(content);
    const common = [[2, 20], [2, UTF8], [2, 0], [2, 0], [2, BEFORE_1980], [4, sum], [4, content.length], [4, content.length], [2, path.length], [2, 0]];
    const local = numbers([[4, 0x04034b50], ...common]);
    directory.push(numbers([[4, 0x02014b50], [2, 20], ...common, [2, 0], [2, 0], [2, 0], [4, 0], [4, offset]]), path);
    parts.push(local, path, content);
    offset += local.length + path.length + content.length;
  }
  const length = directory.reduce((sum, part) => sum + part.length, 0);
  const end = numbers([[4, 0x06054b50], [2, 0], [2, 0], [2, files.length], [2, files.length], [4, length], [4, offset], [2, 0]]);
  return new Blob([...parts, ...directory, end], { type: "application/zip" });
}

function numbers(fields) {
  const out = new Uint8Array(fields.reduce((sum, [size]) => sum + size, 0)), view = new DataView(out.buffer);
  let at = 0;
  for (const [size, value] of fields) {
    if (size === 2) view.setUint16(at, value, true);
    else view.setUint32(at, value, true);
    at += size;
  }
  return out;
}
