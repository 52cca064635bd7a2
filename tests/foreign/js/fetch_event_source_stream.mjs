// `@microsoft/fetch-event-source`, used as its documentation says: without `onclose` it takes a
// server that ends the stream for the end of all, and what `onopen` does not refuse it repeats.
//
// usage: node fetch_event_source_stream.mjs URL
import { EventStreamContentType, fetchEventSource } from "@microsoft/fetch-event-source";
import { giveUp, say } from "./events.mjs";

globalThis.window = globalThis; // it was written for browsers
globalThis.document = { removeEventListener() {} };

class FatalError extends Error {}

await fetchEventSource(process.argv[2], {
  openWhenHidden: true,
  async onopen(response) {
    if (response.ok && response.headers.get("content-type").startsWith(EventStreamContentType)) return;
    if (response.status < 500 && response.status !== 429) throw new FatalError(await response.text());
    throw new Error(`HTTP ${response.status}`);
  },
  onmessage: ({ event, id, data }) => say(event, id, data),
  onclose() {
    throw new Error("the server has ended the stream");
  },
  onerror(error) {
    if (error instanceof FatalError) throw error;
  },
}).catch((error) => giveUp(error.message));
