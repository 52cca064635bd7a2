/** The market's session in words, with the time until it changes. Pure. */

import type { Feed, Session } from "../src/index.ts";
import { duration } from "./duration.ts";

const NAMES: Record<Session, string> = {
  pre: "Pre-market",
  regular: "Regular hours",
  post: "After hours",
  overnight: "Overnight",
  closed: "Closed",
  unknown: "Hours unknown",
};

const NEW_YORK = new Intl.DateTimeFormat("en-US", {
  timeZone: "America/New_York",
  weekday: "short",
  month: "short",
  day: "numeric",
  hour: "2-digit",
  minute: "2-digit",
  hourCycle: "h23",
});

/** `change` is `closes in 2 h 13 min`, `exact` its time in New York; both are null if unknown. */
export interface SessionWords {
  name: string;
  change: string | null;
  exact: string | null;
}

/** `now` in unix ms. */
export function sessionWords(feed: Feed | null, now: number): SessionWords {
  const session = feed?.session ?? "unknown";
  const name = NAMES[session];
  const open = session === "regular";
  const at = open ? feed?.next_close : feed?.next_open;
  const left = at ? Date.parse(at) - now : Number.NaN;
  if (session === "unknown" || !at || !(left > 0)) return { name, change: null, exact: null };
  return {
    name,
    change: `${open ? "closes" : "opens"} in ${duration(left)}`,
    exact: `${open ? "Closes" : "Opens"} ${NEW_YORK.format(Date.parse(at))}, New York time`,
  };
}
