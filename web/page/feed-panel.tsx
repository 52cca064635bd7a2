import { type ReactNode, useContext, useMemo } from "react";
import { useConnection } from "../src/index.ts";
import { Now } from "./clock.ts";
import { duration } from "./duration.ts";
import { LatencyLegs } from "./latency-legs.tsx";
import type { StreamMeter, StreamReport } from "./stream-meter.ts";

/** The latency of prices on each leg of their path, and the state of the stream. */
export function FeedPanel({ meter }: { meter: StreamMeter }): ReactNode {
  const now = useContext(Now);
  const { feed } = useConnection();
  const stream = useMemo(() => meter.report(now), [meter, now]);
  return (
    <section className="panel feed" aria-labelledby="feed-title">
      <div className="panel-head">
        <h2 id="feed-title">Feed and latency</h2>
        <p className="secondary">median and 95th percentile of the last 10 s</p>
      </div>
      <LatencyLegs stream={stream} feedLagMs={feed?.lag_ms ?? null} />
      <Facts stream={stream} />
      {feed?.reason && <p className="secondary">{feed.reason}</p>}
    </section>
  );
}

function Facts({ stream }: { stream: StreamReport }): ReactNode {
  const { feed, streamId, attempt } = useConnection();
  const { perSecond: rate, beatAgeMs, streams } = stream;
  const facts: [string, ReactNode, title?: string | null | undefined][] = [
    ["Feed", feed?.state ?? "—", feed?.reason],
    ["Events", rate === null ? "—" : `${rate < 10 ? rate.toFixed(1) : Math.round(rate)}/s`],
    ["Heartbeat", beatAgeMs === null ? "—" : `${duration(beatAgeMs)} ago`],
    ["Reconnects", Math.max(0, streams - 1)],
    ["Failed attempts", attempt],
    ["Stream", streamId ?? "—"],
  ];
  return (
    <dl className="facts">
      {facts.map(([name, value, title]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd title={title ?? undefined} data-fact={name.toLowerCase()}>
            {value}
          </dd>
        </div>
      ))}
    </dl>
  );
}
