/** Correct a mask: brush, fill, undo. */

import { flood } from "./objects.js";

const MAX_STEPS = 100;

export class MaskEditor {
  /** @param {Uint8Array} labels (height, width), changed in place. */
  constructor(labels, width, height) {
    Object.assign(this, { labels, width, height, steps: [] });
    this.predicted = labels.slice();
    this.before = null;
  }

  /** Begin a change that `undo` takes back as a whole. */
  begin() {
    this.before = this.labels.slice();
  }

  /** End a change; returns whether a pixel changed. */
  end() {
    if (this.before === null) return false;
    const changed = [];
    for (let i = 0; i < this.labels.length; i++) if (this.labels[i] !== this.before[i]) changed.push(i);
    const before = this.before;
    this.before = null;
    if (!changed.length) return false;
    this.steps.push({ at: Uint32Array.from(changed), labels: Uint8Array.from(changed, (i) => before[i]) });
    if (this.steps.length > MAX_STEPS) this.steps.shift();
    return true;
  }

  undo() {
    const step = this.steps.pop();
    step?.at.forEach((at, i) => (this.labels[at] = step.labels[i]));
    return step !== undefined;
  }

  /** Paint a disk whose center moves from one point to another, in pixels of the image. */
  paint([x0, y0], [x1, y1], diameter, label) {
    const radius = diameter / 2, [dx, dy] = [x1 - x0, y1 - y0], length = dx * dx + dy * dy;
    const left = Math.max(0, Math.floor(Math.min(x0, x1) - radius)), right = Math.min(this.width - 1, Math.ceil(Math.max(x0, x1) + radius));
    const top = Math.max(0, Math.floor(Math.min(y0, y1) - radius)), bottom = Math.min(this.height - 1, Math.ceil(Math.max(y0, y1) + radius));
    const inside = [Math.floor(x1), Math.floor(y1)]; // a disk smaller than a pixel still paints it
    for (let y = top; y <= bottom; y++) {
      for (let x = left; x <= right; x++) {
        const [px, py] = [x + 0.5 - x0, y + 0.5 - y0];
        const share = length ? Math.min(1, Math.max(0, (px * dx + py * dy) / length)) : 0;
        const near = (px - share * dx) ** 2 + (py - share * dy) ** 2 <= radius * radius;
        if (near || (x === inside[0] && y === inside[1])) this.labels[y * this.width + x] = label;
      }
    }
  }

  /** Give the 4-connected region of one label around a point another label. */
  fill([x, y], label) {
    const start = Math.floor(y) * this.width + Math.floor(x);
    const region = new Uint8Array(this.labels.length);
    flood(this.labels, region, start, 1, this.width, this.height, false);
    for (let i = 0; i < region.length; i++) if (region[i]) this.labels[i] = label;
  }

  /** Number of pixels whose label is not the predicted one. */
  get changedPixels() {
    return this.labels.reduce((count, label, i) => count + (label !== this.predicted[i]), 0);
  }
}
