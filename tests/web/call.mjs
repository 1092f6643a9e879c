// Call functions of the page's modules under node: JSON lines of [module, function, arguments] in, JSON lines of results out.
import { createInterface } from "node:readline";

const TYPES = { uint8: Uint8Array, uint16: Uint16Array, int32: Int32Array, float32: Float32Array };

function decode(value) {
  if (value === null || typeof value !== "object") return value;
  if ("$file" in value) return new Blob([Buffer.from(value.$file, "base64")]);
  if ("$array" in value) return new TYPES[value.$array](new Uint8Array(Buffer.from(value.base64, "base64")).buffer);
  if (Array.isArray(value)) return value.map(decode);
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, decode(one)]));
}

function encode(value) {
  const type = Object.keys(TYPES).find((name) => value instanceof TYPES[name]);
  if (type) return { $array: type, base64: Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString("base64") };
  if (value === null || typeof value !== "object") return value;
  if (Array.isArray(value)) return value.map(encode);
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, encode(one)]));
}

/** Make an object, call its methods one after the other, and return what it holds then. */
function use(kind, made, steps) {
  const object = new kind(...made);
  for (const [method, ...given] of steps) object[method](...given);
  return { ...object, changedPixels: object.changedPixels };
}

for await (const line of createInterface({ input: process.stdin })) {
  const [module, name, given] = JSON.parse(line);
  try {
    const found = (await import(module))[name];
    const answer = await (/^[a-z]/.test(name) ? found(...decode(given)) : use(found, ...decode(given)));
    console.log(JSON.stringify({ result: encode(answer instanceof Blob ? new Uint8Array(await answer.arrayBuffer()) : answer) }));
  } catch (error) {
    console.log(JSON.stringify({ error: `${error.constructor.name}: ${error.message}` }));
  }
}
