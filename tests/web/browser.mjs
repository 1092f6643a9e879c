// Use the exported page in headless Chromium as a person does: node browser.mjs TOOLS URL OUT IMAGES... prints one JSON object.
// TOOLS is the folder with node_modules; downloads go to OUT.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { pathToFileURL } from "node:url";

const [tools, url, out, ...images] = process.argv.slice(2);
const require = createRequire(join(tools, "index.js"));
const { default: puppeteer } = await import(pathToFileURL(require.resolve("puppeteer-core")));
const browser = await puppeteer.launch({ executablePath: process.env.CHROMIUM, headless: true, args: ["--no-sandbox"] });
const found = { requests: [], faults: [] };
const page = await browser.newPage();
page.setDefaultTimeout(240_000);
page.on("request", (request) => found.requests.push(request.url()));
page.on("pageerror", (error) => found.faults.push(String(error)));
page.on("console", (message) => message.type() === "error" && found.faults.push(message.text()));
const devtools = await browser.target().createCDPSession();
await devtools.send("Browser.setDownloadBehavior", { behavior: "allow", downloadPath: out, eventsEnabled: true });
const finished = [];
devtools.on("Browser.downloadProgress", ({ state, filePath }) => state === "completed" && finished.push(filePath));

async function save(id) {
  const before = finished.length;
  await page.click(`#${id}`);
  while (finished.length === before) await new Promise((resolve) => setTimeout(resolve, 50));
}

const isReady = () => page.waitForFunction(() => !document.getElementById("choose").disabled && document.getElementById("status").textContent === "");
const listed = () => page.$$eval("#list button", (buttons) => buttons.map((button) => button.firstChild.textContent));
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
async function accessibility() {
  await page.evaluate(axe); // through the debugger: the page's own policy allows no script from elsewhere
  const { violations } = await page.evaluate(() => window.axe.run());
  return violations.filter(({ impact }) => ["serious", "critical"].includes(impact)).map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join(" ")}`);
}

await page.setViewport({ width: 1280, height: 1400 }); // all of it: clicks do not scroll
await page.goto(url);
await isReady();
found.accessibility = await accessibility();
await (await page.$("#choose")).uploadFile(...images);
await page.waitForFunction((count) => document.querySelectorAll("#list button").length === count, {}, images.length);
await isReady();
found.listed = await listed();
await save("save-all");
found.accessibility.push(...(await accessibility()));
await page.screenshot({ path: join(out, "light.png") });

// of the first image: a stroke with the mouse, a part of it erased by the keyboard, and another stroke that is undone
await page.evaluate((name) => [...document.querySelectorAll("#list button")].find((button) => button.firstChild.textContent === name).click(), basename(images[0]));
await page.waitForFunction((name) => document.getElementById("name").textContent === name, {}, basename(images[0]));
const box = await (await page.$("#overlay")).boundingBox();
await page.click("input[value=brush]");
await page.mouse.move(box.x + 10, box.y + 10);
await page.mouse.down();
await page.mouse.move(box.x + box.width / 3, box.y + 10, { steps: 8 });
await page.mouse.up();
await page.click("input[value=eraser]");
await page.focus("#overlay");
await page.keyboard.down("Shift");
for (let i = 0; i < 30; i++) await page.keyboard.press("ArrowUp");
for (let i = 0; i < 8; i++) await page.keyboard.press("ArrowLeft");
await page.keyboard.up("Shift");
await page.keyboard.down("Space");
await page.keyboard.press("ArrowRight");
await page.keyboard.up("Space");
await page.click("input[value=brush]");
await page.mouse.click(box.x + box.width / 2, box.y + box.height / 2);
await page.keyboard.down("Control");
await page.keyboard.press("z");
await page.keyboard.up("Control");
found.name = await page.$eval("#name", (heading) => heading.textContent);
await page.type("#person", "A. Reader");
await save("save-mask");
await save("save-provenance");
await save("save-geojson");
await save("save-rois");
found.facts = await page.$$eval("#facts dt", (terms) => Object.fromEntries(terms.map((term) => [term.textContent, term.nextSibling.textContent])));

// dark, and as wide as a phone
await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: "dark" }]);
found.accessibility.push(...(await accessibility()));
await page.setViewport({ width: 360, height: 740 });
found.overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
found.accessibility.push(...(await accessibility()));
await page.screenshot({ path: join(out, "phone.png"), fullPage: true });

// the page's policy lets nothing out
found.blocked = await page.evaluate(
  () =>
    new Promise((resolve) => {
      document.addEventListener("securitypolicyviolation", (event) => resolve(event.blockedURI), { once: true });
      fetch("https://example.invalid/upload", { method: "POST", body: "image" }).catch(() => {});
    }),
);
found.faults = found.faults.filter((fault) => !fault.includes("example.invalid"));
found.requests = found.requests.filter((request) => !request.includes("example.invalid"));

// without its server
page.on("dialog", (dialog) => dialog.accept());
process.stderr.write("loaded\n");
await new Promise((resolve) => process.stdin.once("data", resolve));
await page.reload();
await isReady();
await (await page.$("#choose")).uploadFile(images[0]);
await page.waitForFunction(() => document.querySelectorAll("#list button").length === 1);
found.offline = await listed();
await browser.close();
console.log(JSON.stringify(found));
process.exit(0);
