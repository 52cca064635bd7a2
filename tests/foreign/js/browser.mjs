// A real Chromium, driven line by line: a JSON command on stdin, its JSON answer on stdout.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import { launch } from "./chromium.mjs";

// Evaluated, not added as an element: the page's policy lets no other script in.
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
// Playwright would forbid a page to come back from the history as it was.
const browser = await launch({ ignoreDefaultArgs: ["--disable-back-forward-cache"] });
let context;
let page;
let seen;

/** Start again: another profile, with one tab. */
async function fresh() {
  await context?.close();
  seen = { problems: [], urls: [], words: [] };
  context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
  await context.addInitScript(() =>
    addEventListener("securitypolicyviolation", ({ violatedDirective, blockedURI }) =>
      console.error(`against the policy: ${violatedDirective} ${blockedURI}`),
    ),
  );
  await tab();
}

/** Open a tab, which the commands after it are about. */
async function tab() {
  const { problems, urls, words } = seen;
  page = await context.newPage();
  page.on("pageerror", (error) => problems.push(String(error)));
  page.on("console", (line) => {
    words.push(line.text());
    if (line.type() === "error") problems.push(line.text());
  });
  page.on("request", (request) => urls.push(request.url()));
}
await fresh();

const commands = {
  fresh,
  open: ({ url }) => page.goto(url),
  text: ({ selector }) => page.textContent(selector),
  until: ({ selector, matches, seconds }) =>
    page.waitForFunction(
      ([css, pattern]) => new RegExp(pattern).test(document.querySelector(css)?.textContent ?? ""),
      [selector, matches],
      { timeout: seconds * 1000 },
    ),
  fill: ({ selector, value }) => page.fill(selector, value),
  press: ({ selector, key }) => page.press(selector, key),
  size: ({ width, height, dark }) =>
    page.setViewportSize({ width, height })
      .then(() => page.emulateMedia({ colorScheme: dark ? "dark" : "light" })),
  screenshot: ({ path }) => page.screenshot({ path }).then(() => path),
  tab,
  show: ({ number }) => {
    page = context.pages()[number];
    return page.bringToFront();
  },
  close: () => page.close(),
  leave: () => Promise.all(context.pages().map((each) => each.close())),
  click: ({ selector }) => page.click(selector),
  // No load follows where the page comes back as it was.
  back: () => page.goBack({ waitUntil: "commit" }),
  offline: ({ offline }) => context.setOffline(offline),
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
  seen: () => seen,
};
/** Their results are reported; those of the others are objects of Playwright. */
const TELLING = new Set(["text", "screenshot", "axe", "evaluate", "seen"]);

try {
  for await (const line of createInterface({ input: process.stdin })) {
    const { command, ...given } = JSON.parse(line);
    try {
      const answer = await commands[command](given);
      console.log(JSON.stringify({ answer: TELLING.has(command) ? (answer ?? null) : null }));
    } catch (error) {
      console.log(JSON.stringify({ error: String(error) }));
    }
  }
} finally {
  await browser.close();
}
