// npm's `eventsource-parser`: a JSON list of a stream's bytes on stdin, in base64 and in the pieces
// in which they arrive, and what it reads of them on stdout; line by line.
import { createInterface } from "node:readline";
import { createParser } from "eventsource-parser";

for await (const line of createInterface({ input: process.stdin })) {
  const read = { events: [], retries: [], errors: [], comments: [] };
  const decoder = new TextDecoder();
  const parser = createParser({
    onEvent: ({ event, id, data }) => read.events.push([event, id ?? null, data]),
    onRetry: (ms) => read.retries.push(ms),
    onError: (error) => read.errors.push(String(error)),
    onComment: (text) => read.comments.push(text),
  });
  for (const piece of JSON.parse(line)) {
    parser.feed(decoder.decode(Buffer.from(piece, "base64"), { stream: true }));
  }
  console.log(JSON.stringify(read));
}
