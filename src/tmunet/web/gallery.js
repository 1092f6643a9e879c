/** The images of the page: predict them one after the other, and order them, those to review first. */

import { decodeImage } from "./image_decoder.js";
import { MaskEditor } from "./mask_editor.js";
import { finish, predict } from "./model.js";

export class Gallery {
  /**
   * @param {{about: object, run: Function}} model
   * @param {() => void} changed is called when an image was added or predicted.
   */
  constructor(model, changed) {
    Object.assign(this, { model, changed, items: [], working: null });
  }

  /** Add files, and predict them; resolves when all are done. */
  add(files) {
    for (const file of files) {
      const stem = file.name.replace(/\.[^.]*$/, "");
      const taken = this.items.some((item) => item.stem === stem && item.state !== "failed");
      const item = { file, name: file.name, stem, state: taken ? "failed" : "waiting", seconds: 0 };
      if (taken) item.error = "an image of this name is there already, and both would have one mask; rename one.";
      this.items.push(item);
    }
    this.changed();
    this.working ??= this.work().finally(() => (this.working = null));
    return this.working;
  }

  async work() {
    for (let item; (item = this.items.find(({ state }) => state === "waiting")); ) {
      try {
        const image = await decodeImage(item.file), start = performance.now();
        item.prediction = await predict(this.model, image);
        this.segment(item, image, this.model.about.threshold);
        item.milliseconds = { network: item.prediction.milliseconds, image: performance.now() - start };
        item.state = "done";
      } catch (error) {
        Object.assign(item, { state: "failed", error: error.message });
      }
      this.changed();
      await new Promise((resolve) => setTimeout(resolve)); // the page answers between two images
    }
  }

  /** Take the mask of an image at a threshold; corrections are lost. */
  segment(item, { width, height }, threshold) {
    const { labels, confidence } = finish(item.prediction, this.model.about, { width, height }, threshold);
    Object.assign(item, { width, height, threshold, confidence, editor: new MaskEditor(labels, width, height) });
  }

  /** Images that are predicted, those to review first, then by agreement; then the others as they came. */
  get ordered() {
    const done = this.items.filter(({ state }) => state === "done");
    done.sort((a, b) => !a.confidence.flags.length - !b.confidence.flags.length || a.confidence.agreement - b.confidence.agreement);
    return [...done, ...this.items.filter(({ state }) => state !== "done")];
  }
}
