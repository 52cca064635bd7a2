// npm's `eventsource`: the browser's EventSource for Node. It comes back by itself.
//
// usage: node eventsource_stream.mjs URL
import { EventSource } from "eventsource";
import { giveUp, KINDS, say } from "./events.mjs";

const source = new EventSource(process.argv[2]);
for (const kind of KINDS) {
  source.addEventListener(kind, ({ type, lastEventId, data }) => say(type, lastEventId, data));
}
source.onerror = (error) => {
  if (source.readyState === EventSource.CLOSED) giveUp(error.message);
};
