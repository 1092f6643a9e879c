/** Files to save: masks, provenance, outlines, and a data set of all images. */

import { toGeoJson } from "./geojson.js";
import { maskPng } from "./mask_png.js";
import { numberObjects, traceOutlines } from "./objects.js";
import { MAX_SIDE, toRoi } from "./roi.js";
import { zip } from "./zip.js";

/** Let the browser save a file. */
export function save(name, content, type) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(content instanceof Blob ? content : new Blob([content], { type }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

const text = (value) => new TextEncoder().encode(`${JSON.stringify(value, null, 2)}\n`);

export const maskOf = (item, about) => maskPng(item.editor.labels, item.width, item.height, about.colors);

/** Who changed what: provenance of one mask. */
export function provenanceOf(item, about, person) {
  return {
    image: item.name,
    mask: `${item.stem}.png`,
    width: item.width,
    height: item.height,
    classes: about.classes,
    model: { name: about.name, network: about.network, weights_sha256: about.weights_sha256, tmunet: about.versions.tmunet },
    threshold: item.threshold,
    confidence: item.confidence,
    corrected: item.editor.changedPixels > 0,
    changed_pixels: item.editor.changedPixels,
    seconds_shown: Math.round(item.seconds * 10) / 10,
    person,
    saved: new Date().toISOString(),
    milliseconds: item.milliseconds,
  };
}

/** Outlines of the objects of a mask. */
function outlinesOf(item, about) {
  const { numbers, found } = numberObjects(item.editor.labels, item.width, item.height, about.classes.length);
  return { found, outlines: traceOutlines(numbers, item.width, item.height, found.length) };
}

export function geojsonOf(item, about) {
  const { found, outlines } = outlinesOf(item, about);
  return toGeoJson(found, outlines, about);
}

/** @throws {Error} for an image beyond the coordinates of ImageJ. */
export function roisOf(item, about) {
  if (Math.max(item.width, item.height) > MAX_SIDE) throw new Error(`ImageJ ROIs hold at most ${MAX_SIDE} pixels; save GeoJSON instead.`);
  const { found, outlines } = outlinesOf(item, about);
  return zip(found.map(({ label }, n) => ({ name: `${n + 1}.roi`, content: toRoi(String(n + 1), outlines[n], label, about.colors[label]) })));
}

/** A data set as `tmunet train` takes it: images, masks, dataset.json; and provenance.json, the masks to review first. */
export async function dataSetOf(items, about, person) {
  const files = [
    { name: "dataset.json", content: text({ name: `${about.name}-corrected`, classes: about.classes }) },
    { name: "provenance.json", content: text(items.map((item) => provenanceOf(item, about, person))) },
  ];
  for (const item of items) {
    files.push({ name: `images/${item.name}`, content: new Uint8Array(await item.file.arrayBuffer()) });
    files.push({ name: `masks/${item.stem}.png`, content: await maskOf(item, about) });
  }
  return zip(files);
}
