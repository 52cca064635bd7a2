import { type ReactNode, useContext, useMemo } from "react";
import { useConnection } from "../src/index.ts";
import { Now } from "./clock.ts";
import { duration } from "./duration.ts";
import type { Percentiles } from "./latency.ts";
import type { StreamMeter } from "./stream-meter.ts";

/** How prices come here: the time on each leg, and the state of the stream. */
export function FeedPanel({ meter }: { meter: StreamMeter }): ReactNode {
  const now = useContext(Now);
  const { feed, streamId, attempt } = useConnection();
  const stream = useMemo(() => meter.report(now), [meter, now]);
  const { perSecond: rate, beatAgeMs, clockError, interval } = stream;
  const beat = feed?.lag_ms ?? null;
  const held = interval ? `, up to ${interval * 1000} ms of it by the interval` : "";
  const clocks =
    clockError === null
      ? "how far the clocks are apart is not known yet"
      : `the clocks are known to ±${Math.ceil(clockError)} ms`;
  const facts: [string, ReactNode, title?: string | null | undefined][] = [
    ["Feed", feed?.state ?? "—", feed?.reason],
    ["Events", rate === null ? "—" : `${rate < 10 ? rate.toFixed(1) : Math.round(rate)}/s`],
    ["Heartbeat", beatAgeMs === null ? "—" : `${duration(beatAgeMs)} ago`],
    ["Reconnects", Math.max(0, stream.streams - 1)],
    ["Failed attempts", attempt],
    ["Stream", streamId ?? "—"],
  ];
  return (
    <section className="panel feed" aria-labelledby="feed-title">
      <div className="panel-head">
        <h2 id="feed-title">Feed and latency</h2>
        <p className="secondary">median and 95th percentile of the last 10 s</p>
      </div>
      <ol className="legs">
        <Leg
          leg="exchange-ingest"
          from="Exchange"
          to="ingest"
          time={stream.exchangeToIngest ?? (beat === null ? null : { p50: beat, p95: null })}
          title={
            stream.exchangeToIngest ? "by each price" : "by the heartbeat: nothing trades here"
          }
        />
        <Leg
          leg="ingest-gateway"
          from="Ingest"
          to="gateway"
          time={stream.ingestToGateway}
          title={`with the wait for the next update${held}; taking ingest's clock for the gateway's`}
        />
        <Leg
          leg="gateway-browser"
          from="Gateway"
          to="browser"
          time={stream.gatewayToBrowser}
          title={`by the heartbeats of a minute; ${clocks}`}
        />
      </ol>
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
      {feed?.reason && <p className="secondary">{feed.reason}</p>}
    </section>
  );
}

interface LegProps {
  leg: string;
  from: string;
  to: string;
  time: { p50: number; p95: number | null } | Percentiles | null;
  title: string;
}

function Leg({ leg, from, to, time, title }: LegProps): ReactNode {
  return (
    <li data-leg={leg}>
      <span className="leg-name">
        {from} → {to}
      </span>
      <span className="leg-time">
        <strong>{ms(time?.p50)}</strong>
        {time && " ms"} <span className="secondary">p95 {ms(time?.p95)}</span>
      </span>
      <small>{title}</small>
    </li>
  );
}

const ms = (value: number | null | undefined) =>
  value == null ? "—" : value.toFixed(Math.abs(value) < 10 ? 1 : 0);
