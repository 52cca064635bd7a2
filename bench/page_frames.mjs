// A real Chromium on a page, and what it takes there: a JSON line for each measurement on stdout.
//
// node page_frames.mjs URL SECONDS HEAP_EVERY_SECONDS, with CHROMIUM in the environment. At the end
// it says `end`, waits for a line on stdin, and tells the prices that are shown then.
import { once } from "node:events";
import { launch } from "../tests/foreign/js/chromium.mjs";

const [url, seconds, every] = [process.argv[2], Number(process.argv[3]), Number(process.argv[4])];
const LONG_FRAME_MS = 50;
const OPEN_MS = 30_000;
const say = (told) => console.log(JSON.stringify(told));
const browser = await launch();

/** Count the frames of a page for so many ms, in the page itself. */
const frames = (page, ms) =>
  page.evaluate(
    ([ms, long]) =>
      new Promise((resolve) => {
        const begun = performance.now();
        let [last, count, longest, longs] = [begun, 0, 0, 0];
        const next = (now) => {
          const took = now - last;
          if (count > 0) longest = Math.max(longest, took);
          if (count > 0 && took > long) longs++;
          last = now;
          count++;
          if (now - begun < ms) requestAnimationFrame(next);
          else resolve({ frames: (count - 1) / ((now - begun) / 1000), longest, longs });
        };
        requestAnimationFrame(next);
      }),
    [ms, LONG_FRAME_MS],
  );

try {
  const page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
  await page.goto("about:blank");
  say({ kind: "empty", ...(await frames(page, 5000)) });
  await page.goto(url);
  await page.waitForFunction(
    () =>
      document.querySelector("#connection")?.textContent === "LIVE" &&
      [...document.querySelectorAll("#prices [data-field=price]")].every((cell) =>
        /\d/.test(cell.textContent),
      ),
    undefined,
    { timeout: OPEN_MS },
  );
  const devtools = await page.context().newCDPSession(page);
  await devtools.send("HeapProfiler.enable");
  const begun = Date.now();
  let heapAt = 0;
  while (Date.now() - begun < seconds * 1000) {
    if (Date.now() >= heapAt) {
      await devtools.send("HeapProfiler.collectGarbage");
      const { usedSize } = await devtools.send("Runtime.getHeapUsage");
      const nodes = await page.evaluate(() => document.getElementsByTagName("*").length);
      say({ kind: "heap", at: (Date.now() - begun) / 1000, bytes: usedSize, nodes });
      heapAt = Date.now() + every * 1000;
      await frames(page, 500); // what the collection has cost is not the page's
    }
    say({ kind: "window", ...(await frames(page, 1000)) });
  }
  say({ kind: "end" });
  await once(process.stdin, "data");
  await frames(page, 1000);
  say({
    kind: "shown",
    prices: await page.evaluate(() =>
      Object.fromEntries(
        [...document.querySelectorAll("#prices tr")].map((row) => [
          row.dataset.symbol,
          row.querySelector("[data-field=price]").textContent,
        ]),
      ),
    ),
  });
} finally {
  await browser.close();
  process.stdin.destroy();
}
