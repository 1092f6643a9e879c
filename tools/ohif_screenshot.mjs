// Opens a study in OHIF, takes a screenshot, loads its segmentation, takes another: node ohif_screenshot.mjs URL OUT
import fs from 'node:fs';
import puppeteer from 'puppeteer-core';

const [url, out] = process.argv.slice(2);
const browser = await puppeteer.launch({
  executablePath: process.env.CHROMIUM || '/usr/bin/chromium',
  headless: true,
  protocolTimeout: 240000,
  args: ['--no-sandbox', '--use-gl=angle', '--use-angle=swiftshader', '--enable-unsafe-swiftshader', '--ignore-gpu-blocklist'],
});
const page = await browser.newPage();
await page.setViewport({ width: 1000, height: 700 });
const said = [];
page.on('console', message => said.push(`${message.type()}: ${message.text().slice(0, 300)}`));
page.on('pageerror', error => said.push(`page error: ${String(error).slice(0, 300)}`));
page.on('response', answer => answer.status() >= 400 && said.push(`${answer.status()} ${answer.url().slice(0, 200)}`));
const wait = ms => new Promise(done => setTimeout(done, ms));
const click = words =>
  page.evaluate(text => {
    const button = [...document.querySelectorAll('button')].find(one => new RegExp(`^(${text})$`, 'i').test(one.innerText.trim()));
    button?.click();
    return Boolean(button);
  }, words);
const until = async (step, seconds) => {
  for (let i = 0; i < seconds * 2; i++) {
    if (await step()) return true;
    await wait(500);
  }
  return false;
};

await page.goto(url, { waitUntil: 'domcontentloaded', timeout: 120000 });
const thumbnail = () =>
  page.evaluate(() => [...document.querySelectorAll('*')].some(e => !e.children.length && e.textContent.trim() === 'SEG'));
const listed = await until(thumbnail, 60);
await wait(10000);
await click('Skip all');
await wait(1000);
await page.screenshot({ path: `${out}/before.png` });
await page.evaluate(() => {
  let node = [...document.querySelectorAll('*')].find(e => !e.children.length && e.textContent.trim() === 'SEG');
  for (let i = 0; i < 8 && node?.parentElement; i++) {
    node = node.parentElement;
    if ((node.getAttribute('data-cy') || '').includes('thumb')) break;
  }
  node?.dispatchEvent(new MouseEvent('dblclick', { bubbles: true }));
});
const asked = await until(() => click('Yes|Load'), 20);
await wait(12000);
await page.screenshot({ path: `${out}/after.png` });
said.push(`text: ${(await page.evaluate(() => document.body.innerText)).replace(/\n+/g, ' | ')}`);
fs.writeFileSync(`${out}/console.txt`, [`listed: ${listed}`, `asked: ${asked}`, ...new Set(said)].join('\n'));
await browser.close();
