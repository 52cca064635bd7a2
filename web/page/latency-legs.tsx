import type { ReactNode } from "react";
import type { StreamReport } from "./stream-meter.ts";

interface LegsProps {
  stream: StreamReport;
  /** The feed's lag by the newest heartbeat, for a market without trades. */
  feedLagMs: number | null;
}

/** The time that a price spends on each leg: exchange, ingest, gateway, browser. */
export function LatencyLegs({ stream, feedLagMs }: LegsProps): ReactNode {
  const { exchangeToIngest, clockError, interval } = stream;
  const byHeartbeat = feedLagMs === null ? null : { p50: feedLagMs, p95: null };
  const wait = interval ? `, which is up to ${interval * 1000} ms` : "";
  const clocks =
    clockError === null
      ? "the difference between the clocks is not known yet"
      : `the clocks agree within ${Math.ceil(clockError)} ms`;
  return (
    <ol className="legs">
      <Leg
        leg="exchange-ingest"
        from="Exchange"
        to="ingest"
        time={exchangeToIngest ?? byHeartbeat}
        title={
          exchangeToIngest
            ? "measured for each price"
            : "taken from the heartbeat, because there are no trades"
        }
      />
      <Leg
        leg="ingest-gateway"
        from="Ingest"
        to="gateway"
        time={stream.ingestToGateway}
        title={`includes the wait for the next update${wait}; assumes that both have the same clock`}
      />
      <Leg
        leg="gateway-browser"
        from="Gateway"
        to="browser"
        time={stream.gatewayToBrowser}
        title={`measured from the heartbeats of the last minute; ${clocks}`}
      />
    </ol>
  );
}

interface LegProps {
  leg: string;
  from: string;
  to: string;
  time: { p50: number; p95: number | null } | null;
  title: string;
}

function Leg({ leg, from, to, time, title }: LegProps): ReactNode {
  return (
    <li data-leg={leg}>
      <span className="leg-name">
        {from} → {to}
      </span>
      <span className="leg-time">
        <strong>{milliseconds(time?.p50)}</strong>
        {time && " ms"} <span className="secondary">p95 {milliseconds(time?.p95)}</span>
      </span>
      <small>{title}</small>
    </li>
  );
}

const milliseconds = (value: number | null | undefined) =>
  value == null ? "—" : value.toFixed(Math.abs(value) < 10 ? 1 : 0);
