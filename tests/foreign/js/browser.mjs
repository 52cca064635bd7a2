// A real Chromium, driven line by line: a JSON command on stdin, its JSON answer on stdout.
import { createInterface } from "node:readline";
import { launch } from "./chromium.mjs";

const browser = await launch();
const page = await browser.newPage();
const problems = [];
const urls = [];
page.on("pageerror", (error) => problems.push(String(error)));
page.on("console", (line) => line.type() === "error" && problems.push(line.text()));
page.on("request", (request) => urls.push(request.url()));

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
  evaluate: ({ script }) => page.evaluate(script),
  seen: () => ({ problems, urls }),
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
