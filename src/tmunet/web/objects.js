/** Objects of a mask: 8-connected components, and their outlines along the edges of pixels. */

const [TOP, RIGHT, BOTTOM, LEFT] = [0, 1, 2, 3]; // edges of a pixel, each directed so that the pixel is on the right on screen

/**
 * @param {Uint8Array} labels (height, width).
 * @param {number} classes the background included.
 * @returns {{numbers: Int32Array, found: {label: number, area: number}[]}} number of the object of each pixel from 1 on, and object n
 *   at n - 1: classes by label, objects in reading order, as in Python.
 */
export function numberObjects(labels, width, height, classes) {
  const numbers = new Int32Array(labels.length), found = [];
  for (let label = 1; label < classes; label++) {
    for (let start = labels.indexOf(label); start >= 0; start = labels.indexOf(label, start + 1)) {
      if (numbers[start]) continue;
      found.push({ label, area: flood(labels, numbers, start, found.length + 1, width, height, true) });
    }
  }
  return { numbers, found };
}

/** Give all pixels of the label of `start` that are connected to it a number; returns how many they are. */
export function flood(labels, numbers, start, number, width, height, diagonal) {
  const label = labels[start], stack = [start];
  let area = 0;
  numbers[start] = number;
  while (stack.length) {
    const at = stack.pop(), x = at % width;
    area++;
    for (let dy = -width; dy <= width; dy += width) {
      if (at + dy < 0 || at + dy >= labels.length) continue;
      for (let dx = x > 0 ? -1 : 0; dx <= (x < width - 1 ? 1 : 0); dx++) {
        const next = at + dy + dx;
        if ((diagonal || !dx || !dy) && labels[next] === label && numbers[next] !== number) {
          numbers[next] = number;
          stack.push(next);
        }
      }
    }
  }
  return area;
}

/**
 * Trace the outlines of objects. An object whose parts touch at a corner only is several polygons, so that no ring touches itself
 * and JTS, which QuPath reads with, takes every polygon.
 *
 * @param {Int32Array} numbers (height, width) number of the object of each pixel, 0 is the background.
 * @param {number} count of objects.
 * @returns {[number, number][][][][]} for object n at n - 1 its polygons, each a list of rings of x, y corners, the outside first.
 */
export function traceOutlines(numbers, width, height, count) {
  const stride = width + 2, parts = new Int32Array(stride * (height + 2)), owner = [0];
  const padded = new Int32Array(parts.length);
  for (let y = 0; y < height; y++) padded.set(numbers.subarray(y * width, (y + 1) * width), (y + 1) * stride + 1);
  for (let at = 0; at < padded.length; at++) {
    if (!padded[at] || parts[at]) continue;
    flood(padded, parts, at, owner.length, stride, height + 2, false);
    owner.push(padded[at]);
  }
  const polygons = owner.map(() => []), seen = new Uint8Array(parts.length);
  const neighbor = [-stride, 1, stride, -1], forward = [1, stride, -1, -stride];
  for (let at = 0; at < parts.length; at++) {
    if (!parts[at]) continue;
    for (let side = TOP; side <= LEFT; side++) {
      if (parts[at + neighbor[side]] !== parts[at] && !(seen[at] & (1 << side))) polygons[parts[at]].push(ring(at, side));
    }
  }
  const outlines = Array.from({ length: count }, () => []);
  polygons.forEach((rings, part) => part && outlines[owner[part] - 1].push(rings));
  return outlines;

  function ring(start, first) {
    const corners = [], own = parts[start];
    let pixel = start, side = first, before = -1;
    do {
      seen[pixel] |= 1 << side;
      if (side !== before) corners.push(cornerOf(pixel, side));
      before = side;
      const ahead = pixel + forward[side], beside = ahead + neighbor[side];
      if (parts[beside] === own) [pixel, side] = [beside, (side + 3) % 4];
      else if (parts[ahead] === own) pixel = ahead;
      else side = (side + 1) % 4;
    } while (pixel !== start || side !== first);
    if (before === first) corners.shift(); // the ring began inside a straight edge
    return corners;
  }

  function cornerOf(pixel, side) {
    const x = (pixel % stride) - 1, y = Math.floor(pixel / stride) - 1;
    return [x + (side === RIGHT || side === BOTTOM ? 1 : 0), y + (side === BOTTOM || side === LEFT ? 1 : 0)];
  }
}
