// The browser's own EventSource, in a page of the gateway. It comes back by itself.
//
// usage: CHROMIUM=/usr/bin/chromium node chromium_stream.mjs URL
import { launch } from "./chromium.mjs";
import { giveUp, KINDS } from "./events.mjs";

const url = process.argv[2];
const browser = await launch();
const page = await browser.newPage();
await page.exposeFunction("say", (line) => console.log(line));
await page.exposeFunction("closed", () => browser.close().then(() => giveUp("it is CLOSED")));
await page.goto(new URL("/healthz", url).href);
await page.evaluate(([address, kinds]) => {
  const source = new EventSource(address);
  const show = ({ type, lastEventId, data }) =>
    say(JSON.stringify({ kind: type, id: lastEventId, data: JSON.parse(data), at: performance.now() }));
  for (const kind of kinds) source.addEventListener(kind, show);
  source.onerror = () => source.readyState === EventSource.CLOSED && closed();
}, [url, KINDS]);
