// A real Chromium, driven line by line: a JSON command on stdin, its JSON answer on stdout.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import { launch } from "./chromium.mjs";

// Evaluated, not added as an element: the page's policy lets no other script in.
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const browser = await launch();
const context = await browser.newContext();
const problems = [];
const urls = [];
const words = [];
let page;

/** Open a tab, which the commands after it are about. */
async function tab() {
  page = await context.newPage();
  page.on("pageerror", (error) => problems.push(String(error)));
  page.on("console", (line) => {
    words.push(line.text());
    if (line.type() === "error") problems.push(line.text());
  });
  page.on("request", (request) => urls.push(request.url()));
}
await tab();

const commands = {
  open: ({ url }) => page.goto(url),
  text: ({ selector }) => page.textContent(selector),
  until: ({ selector, matches, seconds }) =>
    page.waitForFunction(
      ([css, pattern]) => new RegExp(pattern).test(document.querySelector(css)?.textContent ?? ""),
      [selector, matches],
      { timeout: seconds * 1000 },
    ).then(() => true),
  fill: ({ selector, value }) => page.fill(selector, value),
  press: ({ selector, key }) => page.press(selector, key),
  size: ({ width, height, dark }) =>
    page.setViewportSize({ width, height })
      .then(() => page.emulateMedia({ colorScheme: dark ? "dark" : "light" })),
  screenshot: ({ path }) => page.screenshot({ path }).then(() => path),
  tab: () => tab(),
  show: ({ number }) => {
    page = context.pages()[number];
    return page.bringToFront();
  },
  close: () => page.close(),
  click: ({ selector }) => page.click(selector),
  select: ({ selector, value }) => page.selectOption(selector, value).then(() => null),
  /** Answer requests of a path so many times by ourselves. */
  answer: ({ path, times, status, body }) =>
    page.route(
      `**${path}`,
      (route) => route.fulfill({ status, contentType: "application/json", body }),
      { times },
    ),
  /** Return what axe-core finds that is serious or worse. */
  axe: async () => {
    await page.evaluate(axe);
    const { violations } = await page.evaluate(() => window.axe.run());
    return violations
      .filter(({ impact }) => impact === "serious" || impact === "critical")
      .map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(" ")}`);
  },
  evaluate: ({ script }) => page.evaluate(script),
  seen: () => ({ problems, urls, words }),
};

try {
  for await (const line of createInterface({ input: process.stdin })) {
    const { command, ...given } = JSON.parse(line);
    try {
      const answer = await commands[command](given);
      console.log(JSON.stringify({ answer: answer?.url ? null : answer ?? null }));
    } catch (error) {
      console.log(JSON.stringify({ error: String(error) }));
    }
  }
} finally {
  await browser.close();
}
