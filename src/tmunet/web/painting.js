/** Correct the mask on the canvas with the pointer or the keyboard. */

const STEPS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

export class Painting {
  /**
   * @param {HTMLCanvasElement} canvas
   * @param {() => {tool: string, diameter: number, label: number}} settings as chosen now.
   * @param {(finished: boolean) => void} changed is called when pixels or the cursor changed.
   */
  constructor(canvas, settings, changed) {
    Object.assign(this, { canvas, settings, changed, editor: null, at: null, showsCursor: false, last: null });
    canvas.addEventListener("pointerdown", (event) => this.press(event));
    canvas.addEventListener("pointermove", (event) => this.drag(event));
    for (const kind of ["pointerup", "pointercancel"]) canvas.addEventListener(kind, () => this.release());
    canvas.addEventListener("keydown", (event) => this.key(event));
    for (const kind of ["keyup", "blur"]) canvas.addEventListener(kind, (event) => (kind === "blur" || event.key === " ") && this.release());
  }

  /** Take the mask of another image. */
  open(editor) {
    this.release();
    Object.assign(this, { editor, at: [editor.width / 2, editor.height / 2], showsCursor: false });
  }

  /** The cursor of the keyboard, or null. */
  get cursor() {
    return this.showsCursor ? { at: this.at, diameter: this.settings().diameter } : null;
  }

  press(event) {
    if (event.button !== 0 || this.settings().tool === "look") return;
    event.preventDefault();
    this.canvas.focus({ preventScroll: true });
    this.canvas.setPointerCapture(event.pointerId);
    this.showsCursor = false;
    this.start(this.place(event));
  }

  drag(event) {
    if (this.last !== null) for (const one of event.getCoalescedEvents?.() ?? [event]) this.draw(this.place(one));
  }

  place(event) {
    const box = this.canvas.getBoundingClientRect();
    return [((event.clientX - box.left) * this.editor.width) / box.width, ((event.clientY - box.top) * this.editor.height) / box.height];
  }

  start(at) {
    const { tool, label } = this.settings();
    this.editor.begin();
    if (tool === "fill") {
      const inside = at[0] >= 0 && at[1] >= 0 && at[0] < this.editor.width && at[1] < this.editor.height;
      if (inside) this.editor.fill(at, label);
      this.changed(this.editor.end());
    } else {
      this.last = at;
      this.draw(at);
    }
  }

  draw(at) {
    const { tool, diameter, label } = this.settings();
    this.editor.paint(this.last, at, diameter, tool === "eraser" ? 0 : label);
    this.last = at;
    this.changed(false);
  }

  release() {
    if (this.last === null) return;
    this.last = null;
    this.changed(this.editor.end());
  }

  key(event) {
    const step = STEPS[event.key], { width, height } = this.editor;
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (step) {
      const length = event.shiftKey ? 10 : 1, limit = (value, most) => Math.min(Math.max(value, 0.5), most - 0.5);
      this.at = [limit(this.at[0] + step[0] * length, width), limit(this.at[1] + step[1] * length, height)];
      this.showsCursor = true;
      if (this.last !== null) this.draw(this.at);
      else this.changed(false);
    } else if (event.key === " " && this.settings().tool !== "look") {
      this.showsCursor = true;
      if (!event.repeat) this.start(this.at);
    } else return;
    event.preventDefault();
  }
}
