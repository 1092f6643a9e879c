/** ImageJ ROIs: the outline of an object in ImageJ's binary format, as polygon, or as path where it has holes or several parts. */

const [POLYGON, RECTANGLE] = [0, 1]; // a path is stored as a rectangle with operations
const [MOVE, LINE, CLOSE] = [0, 1, 4];
export const MAX_SIDE = 32767; // pixels: bounds are signed 16-bit numbers

/**
 * @param {string} name
 * @param {[number, number][][][]} polygons rings of x, y corners, the outside first.
 * @param {number} group of ImageJ: the label of the class.
 * @param {number[]} color of the outline.
 * @returns {Uint8Array}
 */
export function toRoi(name, polygons, group, [red, green, blue]) {
  const rings = polygons.flat(), corners = rings.flat();
  const [xs, ys] = [corners.map(([x]) => x), corners.map(([, y]) => y)];
  const least = (values) => values.reduce((a, b) => Math.min(a, b)), most = (values) => values.reduce((a, b) => Math.max(a, b));
  const [left, top, right, bottom] = [least(xs), least(ys), most(xs), most(ys)];
  const isPath = rings.length > 1 || corners.length > 65535;
  const body = isPath ? pathOf(rings) : polygonOf(corners, left, top);
  const header2 = 64 + body.length, out = new Uint8Array(header2 + 64 + 2 * name.length), view = new DataView(out.buffer);
  out.set([..."Iout"].map((letter) => letter.charCodeAt(0)));
  view.setInt16(4, 228); // version
  out[6] = isPath ? RECTANGLE : POLYGON;
  [top, left, bottom, right].forEach((value, i) => view.setInt16(8 + 2 * i, value));
  if (isPath) view.setInt32(36, body.length / 4);
  else view.setUint16(16, corners.length);
  out.set([255, red, green, blue], 40);
  view.setInt32(60, header2);
  out.set(body, 64);
  view.setInt32(header2 + 16, header2 + 64);
  view.setInt32(header2 + 20, name.length);
  out[header2 + 30] = group;
  [...name].forEach((letter, i) => view.setUint16(header2 + 64 + 2 * i, letter.charCodeAt(0)));
  return out;
}

function polygonOf(corners, left, top) {
  const out = new Uint8Array(4 * corners.length), view = new DataView(out.buffer);
  corners.forEach(([x, y], i) => {
    view.setInt16(2 * i, x - left);
    view.setInt16(2 * (corners.length + i), y - top);
  });
  return out;
}

function pathOf(rings) {
  const values = rings.flatMap((ring) => [...ring.flatMap(([x, y], i) => [i ? LINE : MOVE, x, y]), CLOSE]);
  const out = new Uint8Array(4 * values.length), view = new DataView(out.buffer);
  values.forEach((value, i) => view.setFloat32(4 * i, value));
  return out;
}
