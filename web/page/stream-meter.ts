/** Measurements of a client's stream. */

import type { Heartbeat, Hello, MarketClient, Price, Ready } from "../src/index.ts";
import { EventRate } from "./event-rate.ts";
import { type Latency, LatencyMeter } from "./latency.ts";

const COUNTED = ["price", "status", "position", "account", "feed", "heartbeat"];

/** The measurements; null if there are none yet. */
export interface StreamReport extends Latency {
  /** The number of streams that have started. */
  streams: number;
  /** Seconds between two updates of one topic. */
  interval: number | null;
  /** The age of the newest heartbeat. */
  beatAgeMs: number | null;
  /** Events a second, averaged over the last ten seconds. */
  perSecond: number | null;
}

export class StreamMeter {
  private readonly latency = new LatencyMeter();
  private readonly rate = new EventRate();
  private streams = 0;
  private beatAt: number | null = null;
  private interval: number | null = null;

  /** `gateway` is its base URL. */
  constructor(private readonly gateway: string) {}

  report(now: number): StreamReport {
    const { streams, beatAt, interval } = this;
    return {
      ...this.latency.report(now),
      streams,
      interval,
      beatAgeMs: beatAt === null ? null : now - beatAt,
      perSecond: this.rate.perSecond(now),
    };
  }

  /** Measure until the returned function is called. */
  follow(client: MarketClient): () => void {
    const stamped = ({ server_time }: Heartbeat | Hello | Ready) =>
      this.latency.stamped(Date.parse(server_time), Date.now());
    const ends = [
      ...COUNTED.map((name) => client.on(name, () => this.rate.count(Date.now()))),
      client.on("price", (price: Price) => this.latency.price(price, Date.now())),
      client.on("hello", (hello: Hello) => {
        this.streams++;
        this.interval = hello.interval;
        this.latency.streamStarted();
        stamped(hello);
      }),
      client.on("ready", stamped),
      client.on("heartbeat", (beat: Heartbeat) => {
        this.beatAt = Date.now();
        stamped(beat);
      }),
      followTrips(this.gateway, (ms) => this.latency.trip(ms)),
    ];
    return () => {
      for (const end of ends) end();
    };
  }
}

/** The browser measures the duration of requests, however busy the page is. */
function followTrips(gateway: string, trip: (ms: number) => void): () => void {
  if (typeof PerformanceObserver === "undefined") return () => {};
  const observer = new PerformanceObserver((list) => {
    for (const entry of list.getEntries() as PerformanceResourceTiming[]) {
      // A cached answer made no trip. Other origins hide all parts except `duration`.
      const ms = entry.requestStart ? entry.responseStart - entry.requestStart : entry.duration;
      const cached = entry.requestStart > 0 && entry.transferSize === 0;
      if (entry.name.startsWith(gateway) && !cached && ms > 0) trip(ms);
    }
  });
  observer.observe({ type: "resource", buffered: true });
  return () => observer.disconnect();
}
