// npm's `eventsource-client`: fetch, read as an iterator. It comes back by itself.
//
// usage: node eventsource_client_stream.mjs URL
import { createEventSource } from "eventsource-client";
import { say } from "./events.mjs";

for await (const { event, id, data } of createEventSource(process.argv[2])) say(event, id, data);
