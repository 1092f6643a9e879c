// Screenshot of the web page with images: node web_screenshot.mjs TOOLS URL OUT.png IMAGES...
// TOOLS is a folder with node_modules/puppeteer-core. The first image is shown.
import { createRequire } from "node:module";
import { basename, join } from "node:path";
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
const name = basename(images[0]);
await page.evaluate((name) => [...document.querySelectorAll("#list button")].find((button) => button.firstChild.textContent === name).click(), name);
await page.waitForFunction((name) => document.getElementById("name").textContent === name, {}, name);
await page.screenshot({ path: out });
await browser.close();
