// Measures a page in a real Chromium: a JSON line for each measurement on stdout.
//
// node page_frames.mjs URL SECONDS HEAP_EVERY_SECONDS, with CHROMIUM in the environment. At the end
// it prints `end`, waits for a line on stdin, and prints the displayed prices.
import { once } from "node:events";
import { launch } from "../tests/foreign/js/chromium.mjs";

const [url, seconds, every] = [process.argv[2], Number(process.argv[3]), Number(process.argv[4])];
const LONG_FRAME_MS = 50;
const OPEN_MS = 30_000;
const say = (line) => console.log(JSON.stringify(line));
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

/** Measure the heap after a collection: the page's memory, and compiled code separately. */
async function heap(devtools) {
  const parts = [];
  const take = ({ chunk }) => parts.push(chunk);
  await devtools.send("HeapProfiler.collectGarbage");
  devtools.on("HeapProfiler.addHeapSnapshotChunk", take);
  await devtools.send("HeapProfiler.takeHeapSnapshot", { reportProgress: false });
  devtools.off("HeapProfiler.addHeapSnapshotChunk", take);
  const { snapshot, nodes } = JSON.parse(parts.join(""));
  const { node_fields: fields, node_types: types } = snapshot.meta;
  const [type, size] = [fields.indexOf("type"), fields.indexOf("self_size")];
  const compiled = types[type].indexOf("code");
  const weighed = { held: 0, code: 0 };
  for (let at = 0; at < nodes.length; at += fields.length)
    weighed[nodes[at + type] === compiled ? "code" : "held"] += nodes[at + size];
  return weighed;
}

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
      const elements = await page.evaluate(() => document.getElementsByTagName("*").length);
      say({ kind: "heap", ...(await heap(devtools)), elements });
      heapAt = Date.now() + every * 1000;
      await frames(page, 500); // exclude the cost of the measurement itself
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
