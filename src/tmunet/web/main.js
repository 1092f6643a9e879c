/** The page: choose images, look at masks, correct them, save them. */

import { drawImage, drawMask } from "./display.js";
import { dataSetOf, geojsonOf, maskOf, provenanceOf, roisOf, save } from "./downloads.js";
import { Gallery } from "./gallery.js";
import { decodeImage } from "./image_decoder.js";
import { loadModel } from "./model.js";
import { numberObjects } from "./objects.js";
import { Painting } from "./painting.js";

const $ = (id) => document.getElementById(id);
const number = new Intl.NumberFormat("en");
let about, gallery, painting, current = null, asked = null, since = 0, pasted = 0;

function say(message, isError = false) {
  $("status").textContent = message;
  $("status").classList.toggle("error", isError);
}

/** Let a service worker keep the files, so that the page works without its server from the second time on. */
async function keepFiles() {
  const workers = navigator.serviceWorker;
  if (workers === undefined) return; // only https and this computer have it
  const taken = new Promise((resolve) => workers.addEventListener("controllerchange", resolve, { once: true }));
  await workers.register("offline.js");
  if (workers.controller === null) await Promise.race([taken, new Promise((resolve) => setTimeout(resolve, 1000))]);
}

async function start() {
  await keepFiles().catch(() => {}); // the page needs its server then
  say("Loading the model (about 15 MB, once) ...");
  const model = await loadModel(new URL(".", location));
  about = model.about;
  document.title = `Segment images with ${about.name}`;
  $("title").textContent = `Segment images: ${about.name}`;
  about.classes.forEach((name, label) => $("label").add(new Option(name, label, false, label === 1)));
  $("threshold-row").hidden = about.classes.length > 2;
  gallery = new Gallery(model, showList);
  painting = new Painting($("overlay"), settings, (finished) => (finished ? showMask() : redraw()));
  listen();
  $("choose").disabled = false;
  say("");
}

const settings = () => ({
  tool: document.querySelector("input[name=tool]:checked").value,
  diameter: Number($("size").value),
  label: Number($("label").value),
});

async function add(files) {
  if (!files.length) return;
  say(`Predicting ${files.length === 1 ? "an image" : `${files.length} images`} ...`);
  await gallery.add(files);
  const failed = gallery.items.filter(({ state }) => state === "failed").length;
  say(failed ? `${failed} of ${gallery.items.length} images could not be predicted.` : "", failed > 0);
  if (current === null && gallery.ordered[0]?.state === "done") await show(gallery.ordered[0]);
}

function showList() {
  $("list").replaceChildren(...gallery.ordered.map(entry));
  $("save-all").disabled = gallery.items.some(({ state }) => state === "waiting");
}

function entry(item) {
  const line = document.createElement("li"), detail = document.createElement("small");
  if (item.state !== "done") {
    line.className = item.state;
    line.textContent = item.state === "failed" ? `${item.name}: ${item.error}` : `${item.name} ...`;
    return line;
  }
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = item.name;
  const { agreement, flags } = item.confidence, edited = item.editor.steps.length ? " · corrected" : "";
  detail.textContent = `agreement ${agreement.toFixed(2)}${flags.length ? ` · review: ${flags.join(", ")}` : ""}${edited}`;
  button.append(detail);
  if (item === current) button.setAttribute("aria-current", "true");
  button.addEventListener("click", () => show(item));
  line.append(button);
  return line;
}

/** Add the time that an image is on the screen. */
function countTime() {
  const now = performance.now();
  if (current !== null && since) current.seconds += (now - since) / 1000;
  since = document.hidden ? 0 : now;
}

async function show(item) {
  asked = item;
  const image = await decodeImage(item.file);
  if (asked !== item) return; // another was chosen meanwhile
  countTime();
  current = item;
  for (const id of ["work", "controls"]) $(id).hidden = false;
  $("name").textContent = item.name;
  $("picture").setAttribute("aria-label", `Image ${item.name}`);
  drawImage($("picture"), image);
  painting.open(item.editor);
  $("threshold").value = item.threshold;
  showMask();
}

function redraw() {
  drawMask($("overlay"), current.editor, about.colors, $("opacity").value / 100, painting.cursor);
}

/** Show the mask, and what is known about it. */
function showMask() {
  redraw();
  showList();
  const { labels, width, height, steps } = current.editor, changed = current.editor.changedPixels;
  const { found } = numberObjects(labels, width, height, about.classes.length), { confidence } = current;
  const facts = [["Size", `${number.format(width)} × ${number.format(height)} px`]];
  about.classes.slice(1).forEach((name, i) => {
    const of = found.filter(({ label }) => label === i + 1), area = of.reduce((sum, one) => sum + one.area, 0);
    facts.push([name, `${number.format(of.length)} object${of.length === 1 ? "" : "s"}, ${number.format(area)} px (${((100 * area) / labels.length).toFixed(1)} %)`]);
  });
  facts.push(["Agreement", confidence.agreement.toFixed(3)]);
  if (confidence.expected_dice !== null) facts.push(["Expected Dice", `${confidence.expected_dice.toFixed(2)} ± ${confidence.error.toFixed(2)}`]);
  facts.push(["Review", confidence.flags.join(", ") || "no reason found"]);
  facts.push(["Corrected", changed ? `${number.format(changed)} px` : "no"]);
  $("facts").replaceChildren(...facts.flatMap(([name, value]) => {
    const [term, description] = [document.createElement("dt"), document.createElement("dd")];
    term.textContent = name;
    description.textContent = value;
    if (name === "Review" && confidence.flags.length) description.className = "review";
    return [term, description];
  }));
  $("undo").disabled = $("reset").disabled = !steps.length;
  $("threshold").disabled = steps.length > 0; // another threshold makes another mask, without the corrections
  $("threshold-value").textContent = Number(current.threshold).toFixed(2);
}

function segmentAgain(threshold) {
  gallery.segment(current, current, threshold);
  painting.open(current.editor);
  showMask();
}

function undo() {
  if (current?.editor.undo()) showMask();
}

function listen() {
  const saved = (id, action) =>
    $(id).addEventListener("click", async () => {
      countTime();
      try {
        await action($("person").value.trim());
      } catch (error) {
        say(error.message, true);
      }
    });
  saved("save-mask", async () => save(`${current.stem}.png`, await maskOf(current, about), "image/png"));
  saved("save-geojson", () => save(`${current.stem}.geojson`, geojsonOf(current, about), "application/geo+json"));
  saved("save-rois", () => save(`${current.stem}_rois.zip`, roisOf(current, about)));
  saved("save-provenance", (person) => save(`${current.stem}.json`, JSON.stringify(provenanceOf(current, about, person), null, 2), "application/json"));
  saved("save-all", async (person) => save(`${about.name}-masks.zip`, await dataSetOf(gallery.ordered.filter(({ state }) => state === "done"), about, person)));

  $("choose").addEventListener("change", ({ target }) => add([...target.files]).then(() => (target.value = "")));
  document.addEventListener("paste", ({ clipboardData }) => add([...(clipboardData?.files ?? [])].map(named)));
  for (const kind of ["dragover", "dragleave", "drop"]) {
    document.addEventListener(kind, (event) => {
      if (!event.dataTransfer?.types.includes("Files")) return;
      event.preventDefault();
      document.body.classList.toggle("dragging", kind === "dragover");
      if (kind === "drop") add([...event.dataTransfer.files]);
    });
  }
  $("opacity").addEventListener("input", redraw);
  $("size").addEventListener("input", () => (($("size-value").textContent = $("size").value), redraw()));
  $("threshold").addEventListener("input", () => segmentAgain(Number($("threshold").value)));
  $("zoom").addEventListener("change", () => ($("layers").style.width = `${100 * $("zoom").value}%`));
  $("tools").addEventListener("change", () => $("overlay").classList.toggle("paints", settings().tool !== "look"));
  $("undo").addEventListener("click", undo);
  $("reset").addEventListener("click", () => segmentAgain(current.threshold));
  document.addEventListener("visibilitychange", countTime);
  document.addEventListener("keydown", (event) => {
    if (event.target.matches("input[type=text]")) return;
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "z") undo();
    else if (event.key.toLowerCase() === "n" && !event.ctrlKey && !event.metaKey && !event.altKey && !event.target.matches("select")) next();
  });
  addEventListener("beforeunload", (event) => gallery.items.some(({ editor }) => editor?.steps.length) && event.preventDefault());
}

/** A pasted picture, whose name is always the same, under a name of its own. */
function named(file) {
  pasted += file.name.startsWith("image.") ? 1 : 0;
  return file.name.startsWith("image.") ? new File([file], file.name.replace("image", `pasted-${pasted}`), { type: file.type }) : file;
}

/** Show the image behind the current one in the list. */
function next() {
  const done = gallery.ordered.filter(({ state }) => state === "done");
  if (done.length > 1) show(done[(done.indexOf(current) + 1) % done.length]);
}

start().catch((error) => say(`The model cannot be loaded: ${error.message}`, true));
