// What every driver of a client prints: one JSON object a line for each event, as the client saw it.

// The EventSource interface hands over only the events whose names it was given.
export const KINDS = [
  "hello", "ready", "heartbeat", "feed", "gap", "bye",
  "price", "status", "quote", "trade", "correction", "cancel", "bar.1Day", "news", "position",
];

export const say = (kind, id, data) =>
  console.log(JSON.stringify({ kind, id: id ?? "", data: JSON.parse(data), at: performance.now() }));

export const giveUp = (reason) => {
  console.error(reason);
  process.exitCode = 1;
};
