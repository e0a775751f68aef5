// Puppeteer, as a user has it: connects to the address it is given, opens a page in a context of its own, and closes all.
import puppeteer from "puppeteer-core";

const [browserWSEndpoint, headers] = process.argv.slice(2);
const browser = await puppeteer.connect({ browserWSEndpoint, headers: headers ? JSON.parse(headers) : undefined });
const context = await browser.createBrowserContext();
const page = await context.newPage();
await page.goto("http://127.0.0.1:8000/");
const title = await page.title();
await page.locator("[name=q]").fill("puppets");
await Promise.all([page.waitForNavigation(), page.click("form button")]);
const screenshot = await page.screenshot();
const sent = new URL(page.url()).searchParams.get("q");
const version = await browser.version();
await browser.close();
console.log(JSON.stringify({ title, sent, version, screenshot: screenshot.length }));
