import { expect, test } from "vitest";
import { duration } from "../../page/duration.ts";
import { sessionWords } from "../../page/session-words.ts";
import type { Feed, Session } from "../../src/index.ts";

const NOW = Date.parse("2026-11-25T17:47:00Z");

const feed = (session: Session, next_open: string | null, next_close: string | null) =>
  ({ session, next_open, next_close }) as Feed;

test("regular hours say when they close, with the time in New York", () => {
  const words = sessionWords(feed("regular", "2026-11-27T14:30:00Z", "2026-11-25T20:00:00Z"), NOW);
  expect(words).toEqual({
    name: "Regular hours",
    change: "closes in 2 h 13 min",
    exact: "Closes Wed, Nov 25, 15:00, New York time",
  });
});

test.each([
  ["closed", "Closed"],
  ["pre", "Pre-market"],
  ["post", "After hours"],
  ["overnight", "Overnight"],
] as const)("%s says when the market opens", (session, name) => {
  const words = sessionWords(feed(session, "2026-11-26T07:47:00Z", null), NOW);
  expect([words.name, words.change]).toEqual([name, "opens in 14 h"]);
});

test("an unknown or past time is not counted down", () => {
  const past = "2026-11-25T17:46:59Z";
  const words = [null, feed("unknown", past, past), feed("regular", null, past)].map(
    (each) => sessionWords(each, NOW).change,
  );
  expect(words).toEqual([null, null, null]);
});

test("times have two units at most", () => {
  const times = [-5, 0, 59_999, 119_000, 120_000, 3_600_000, 8_000_000, 90_000_000, 176_400_000];
  expect(times.map(duration)).toEqual([
    "0 s",
    "0 s",
    "59 s",
    "119 s",
    "2 min",
    "1 h",
    "2 h 13 min",
    "1 d 1 h",
    "2 d 1 h",
  ]);
});
