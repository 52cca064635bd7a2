/** The states of a client's stream and the transitions between them. Pure data. */

/**
 * - `idle`: no topic is wanted.
 * - `opening`: a stream is being opened: its ticket, its connection, its snapshot.
 * - `open`: a stream is ready.
 * - `changing`: a stream is ready, and other topics have been requested for it.
 * - `replacing`: a stream is ready, and a second one with other topics is being opened, because the
 *   first could not be changed.
 * - `partial`: a stream is ready, but the gateway rejected the wanted topics.
 * - `postponed`: a stream is ready; its topics are changed when the retry timer fires.
 * - `waiting`: there is no stream; one is opened when the retry timer fires.
 * - `stopped`: there is no stream and no timer. The gateway rejected it, or the page was left.
 */
export type State =
  | "idle"
  | "opening"
  | "open"
  | "changing"
  | "replacing"
  | "partial"
  | "postponed"
  | "waiting"
  | "stopped";

/**
 * From the application:
 * - `topics`: other topics are wanted. `none`: no topic is wanted any more.
 * - `reconnect`: on request, or because the page returned from the back-forward cache.
 *
 * From the streams:
 * - `ready`: the snapshot of the stream that was being opened is complete.
 * - `lost`, `nextLost`: the stream, or the second one, has failed; a retry may help.
 * - `rejected`: the gateway rejected the stream that was being opened; a retry would not help.
 *
 * From the comparison of wanted topics with the stream's, and the request to change them:
 * - `different`: they are not the same.
 * - `changed`, `unchanged`: the gateway has changed them, or has not.
 * - `unremoved`: it has not, but only unwanted topics are left to remove.
 *
 * From the device:
 * - `due`: the retry timer has fired, or the network or a person is back.
 * - `left`: the page was left, and may return from the back-forward cache.
 */
export type StreamEvent =
  | "topics"
  | "none"
  | "reconnect"
  | "ready"
  | "lost"
  | "nextLost"
  | "rejected"
  | "different"
  | "changed"
  | "unchanged"
  | "unremoved"
  | "due"
  | "left";

type Row = Partial<Record<StreamEvent, State>>;

/** The next state for each event, in every state whose row in `TRANSITIONS` has no other. */
export const ALWAYS: Row = {
  none: "idle",
  left: "stopped",
  reconnect: "opening",
  lost: "waiting",
};

/** The next state for each state and event. All other events change nothing. */
export const TRANSITIONS: Record<State, Row> = {
  idle: { topics: "opening" },
  opening: { ready: "open", rejected: "stopped" },
  open: { topics: "open", different: "changing" },
  changing: { changed: "open", unchanged: "replacing", unremoved: "partial" },
  // If the first stream is lost, the second one is being opened in its place.
  replacing: { ready: "open", lost: "opening", nextLost: "postponed", rejected: "partial" },
  partial: { topics: "open" },
  postponed: { due: "open" },
  waiting: { due: "opening" },
  stopped: { topics: "opening" },
};
