import type { ReactNode } from "react";
import { useConnection } from "../src/index.ts";
import { useNow } from "./clock.ts";
import { sessionWords } from "./session-words.ts";

/** The exchange's session, and the time until it opens or closes. */
export function MarketSession(): ReactNode {
  const now = useNow();
  const { feed } = useConnection();
  if (feed === null) return <p className="session" />;
  const { name, change, exact } = sessionWords(feed, now);
  return (
    <p className="session" data-session={feed.session} title={exact ?? undefined}>
      {name}
      {change && <span className="secondary"> · {change}</span>}
    </p>
  );
}
