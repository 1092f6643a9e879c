// Run a network once in headless Chromium for each line on stdin: node web.mjs TOOLS URL CHROMIUM; prints milliseconds of CPU time.
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
  window.run = () => run(values).then(() => undefined);
}, url);
const devtools = await page.createCDPSession();
await devtools.send("Performance.enable", { timeDomain: "threadTicks" });
const used = async () => (await devtools.send("Performance.getMetrics")).metrics.find(({ name }) => name === "TaskDuration").value;
console.log("ready");
for await (const line of createInterface({ input: process.stdin })) {
  const before = await used();
  await page.evaluate(() => window.run());
  console.log(1000 * ((await used()) - before));
}
await browser.close();
