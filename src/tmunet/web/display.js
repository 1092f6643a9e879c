/** Draw the image and the mask over it. */

import { white } from "./preprocess.js";

/** Draw an image; 16 bits are stretched between their 0.5 and 99.5 percentiles, since most use a small part of their range. */
export function drawImage(canvas, image) {
  const { width, height, channels, data } = image, [low, high] = range(image);
  const rgba = new ImageData(width, height), scale = 255 / Math.max(high - low, 1);
  for (let i = 0; i < width * height; i++) {
    for (let color = 0; color < 3; color++) rgba.data[4 * i + color] = (data[i * channels + (channels >= 3 ? color : 0)] - low) * scale;
    rgba.data[4 * i + 3] = 255;
  }
  Object.assign(canvas, { width, height });
  canvas.getContext("2d").putImageData(rgba, 0, 0);
}

function range(image) {
  if (white(image) === 255) return [0, 255];
  const counts = new Uint32Array(65536);
  for (const value of image.data) counts[value]++;
  const at = (share) => {
    let sum = 0, value = -1;
    while (value < 65535 && sum <= share * image.data.length) sum += counts[++value];
    return value;
  };
  return [at(0.005), at(0.995)];
}

/** Draw a mask in the colors of its classes with an opacity from 0 to 1, and the cursor of the keyboard as a circle. */
export function drawMask(canvas, { labels, width, height }, colors, opacity, cursor) {
  const rgba = new ImageData(width, height), pixels = new Uint32Array(rgba.data.buffer);
  const packed = colors.map((color, label) => new Uint32Array(Uint8Array.of(...color, label ? Math.round(255 * opacity) : 0).buffer)[0]);
  for (let i = 0; i < labels.length; i++) pixels[i] = packed[labels[i]];
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  const context = canvas.getContext("2d");
  context.putImageData(rgba, 0, 0);
  if (cursor === null) return;
  for (const [color, line] of [["black", 3], ["white", 1]]) {
    context.strokeStyle = color;
    context.lineWidth = (line * width) / Math.max(canvas.clientWidth, 1);
    context.beginPath();
    context.arc(cursor.at[0], cursor.at[1], Math.max(cursor.diameter / 2, 1), 0, 2 * Math.PI);
    context.stroke();
  }
}
