/** Orientation tags of EXIF and TIFF. */

const ORIENTATION = 274;

/** Orientation (1 to 8) in an EXIF block, which is a small TIFF file; 1 where there is none. */
export function exifOrientation(bytes) {
  if (bytes.length < 14) return 1;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const little = view.getUint16(0) === 0x4949, start = view.getUint32(4, little);
  if (start + 2 > bytes.length) return 1;
  const count = view.getUint16(start, little);
  for (let entry = start + 2; entry < start + 2 + 12 * count && entry + 12 <= bytes.length; entry += 12) {
    if (view.getUint16(entry, little) === ORIENTATION) return view.getUint16(entry + 8, little);
  }
  return 1;
}

/** Turn an image upright by its orientation tag. */
export function upright({ orientation, ...image }) {
  if (!(orientation >= 2 && orientation <= 8)) return image;
  const { width, height, channels, data } = image;
  const swapped = orientation >= 5, mirrored = [2, 3, 6, 7].includes(orientation), flipped = [3, 4, 7, 8].includes(orientation);
  const [columns, rows] = swapped ? [height, width] : [width, height];
  const out = new data.constructor(data.length);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const i = flipped ? rows - 1 - row : row, j = mirrored ? columns - 1 - column : column;
      const from = (swapped ? j * width + i : i * width + j) * channels;
      for (let channel = 0; channel < channels; channel++) out[(row * columns + column) * channels + channel] = data[from + channel];
    }
  }
  return { width: columns, height: rows, channels, data: out };
}
