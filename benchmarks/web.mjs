// Time one call of a network in headless Chromium for each line on stdin: node web.mjs TOOLS URL CHROMIUM; prints milliseconds.
import { createInterface } from "node:readline";
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const [tools, url, chromium] = process.argv.slice(2);
const { default: puppeteer } = await import(pathToFileURL(createRequire(join(tools, "index.js")).resolve("puppeteer-core")));
const browser = await puppeteer.launch({ executablePath: chromium, headless: true, args: ["--no-sandbox"], protocolTimeout: 600_000 });
const page = await browser.newPage();
await page.goto(`${url}page.css`); // of the same origin, and idle
await page.evaluate(async (folder) => {
  const { loadModel } = await import(`${folder}model.js`);
  const { about, run } = await loadModel(new URL(folder));
  const values = Float32Array.from({ length: about.channels * about.size ** 2 }, (_, i) => Math.sin(i));
  window.time = async () => {
    const start = performance.now();
    await run(values);
    return performance.now() - start;
  };
}, url);
console.log("ready");
for await (const line of createInterface({ input: process.stdin })) console.log(await page.evaluate(() => window.time()));
await browser.close();
