/** Load the exported model, and predict images: the steps of Python's pipeline. */

import { confidenceOf, shiftFlags, softDice } from "./confidence.js";
import { labelsOf, probabilities, resizePlane } from "./postprocess.js";
import { normalizeImage, resizeImage, toChannels } from "./preprocess.js";

/** Load model.json and the network; one thread, since more need headers that few web hosts send. */
export async function loadModel(folder) {
  const about = await (await read(new URL("model.json", folder))).json();
  const ort = await import(new URL("runtime/ort.wasm.min.js", folder));
  ort.env.wasm.numThreads = 1;
  ort.env.wasm.wasmPaths = {
    mjs: new URL("runtime/ort-wasm-simd-threaded.js", folder).href,
    wasm: new URL("runtime/ort-wasm-simd-threaded.wasm", folder).href,
  };
  const bytes = await (await read(new URL(about.model, folder))).arrayBuffer();
  const session = await ort.InferenceSession.create(new Uint8Array(bytes), { executionProviders: ["wasm"] });
  const [input] = session.inputNames, [output] = session.outputNames;
  const run = async (values) => {
    const tensor = new ort.Tensor("float32", values, [1, about.channels, about.size, about.size]);
    return (await session.run({ [input]: tensor }))[output].data;
  };
  return { about, run };
}

async function read(url) {
  const answer = await fetch(url);
  if (!answer.ok) throw new Error(`${url}: ${answer.status} ${answer.statusText}`);
  return answer;
}

/**
 * Predict one image.
 *
 * @returns {Promise<object>} `planes` of probabilities at the network's size, flags of the image, and milliseconds of the network.
 */
export async function predict({ about, run }, image) {
  const own = toChannels(image, about.channels), resized = resizeImage(own, about.size);
  const x = normalizeImage(resized, about.normalize), start = performance.now();
  const logits = await run(x), milliseconds = performance.now() - start;
  return {
    planes: probabilities(logits, about.size ** 2),
    shifts: shiftFlags(own, resized, about),
    milliseconds,
  };
}

/** The mask of a prediction at the size of its image, and its confidence. */
export function finish({ planes, shifts }, about, { width, height }, threshold) {
  const full = planes.map((plane) => resizePlane(plane, about.size, width, height));
  const labels = labelsOf(full, threshold), agreement = softDice(full, labels);
  const calibration = threshold === about.threshold ? about.calibration : null;
  return { labels, confidence: confidenceOf(agreement, labels.some((label) => label > 0), calibration, shifts) };
}
