// Screenshot of the web page with images: node web_screenshot.mjs TOOLS URL OUT.png IMAGES...
// TOOLS is a folder with node_modules/puppeteer-core. The last image of the list is shown, in its upper part a stroke of the brush.
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const [tools, url, out, ...images] = process.argv.slice(2);
const { default: puppeteer } = await import(pathToFileURL(createRequire(join(tools, "index.js")).resolve("puppeteer-core")));
const browser = await puppeteer.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", headless: true, args: ["--no-sandbox"] });
const page = await browser.newPage();
page.setDefaultTimeout(240_000);
await page.setViewport({ width: 1280, height: 960 });
await page.goto(url);
await page.waitForFunction(() => !document.getElementById("choose").disabled);
await (await page.$("#choose")).uploadFile(...images);
await page.waitForFunction((count) => document.querySelectorAll("#list button").length === count, {}, images.length);
await page.waitForFunction(() => document.getElementById("status").textContent === "");
await page.evaluate(() => [...document.querySelectorAll("#list button")].at(-1).click());
await page.waitForFunction(() => document.querySelector("#list li:last-child button").hasAttribute("aria-current"));
await page.evaluate(() => document.querySelector("#list li:last-child button").blur());
await page.screenshot({ path: out });
await browser.close();
