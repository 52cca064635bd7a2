/** What is measured of a client's stream. */

import type { Heartbeat, Hello, MarketClient, Price, Ready } from "../src/index.ts";
import { EventRate } from "./event-rate.ts";
import { LatencyMeter } from "./latency.ts";

const COUNTED = ["price", "status", "position", "account", "feed", "heartbeat"];

export class StreamMeter {
  readonly latency = new LatencyMeter();
  readonly rate = new EventRate();
  /** Streams that have begun. */
  streams = 0;
  /** When the newest heartbeat came, unix ms. */
  beatAt: number | null = null;
  /** Seconds between two updates of one topic. */
  interval: number | null = null;

  /** `gateway`: its base URL. */
  constructor(private readonly gateway: string) {}

  /** Measure until the returned function is called. */
  follow(client: MarketClient): () => void {
    const stamped = ({ server_time }: Heartbeat | Hello | Ready) =>
      this.latency.heard(Date.parse(server_time), Date.now());
    const ends = [
      ...COUNTED.map((name) => client.on(name, () => this.rate.count(Date.now()))),
      client.on("price", (price: Price) => this.latency.price(price, Date.now())),
      client.on("hello", (hello: Hello) => {
        this.streams++;
        this.interval = hello.interval;
        this.latency.began();
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

/** The browser knows how long requests were under way, however busy the page is. */
function followTrips(gateway: string, trip: (ms: number) => void): () => void {
  if (typeof PerformanceObserver === "undefined") return () => {};
  const observer = new PerformanceObserver((list) => {
    for (const entry of list.getEntries() as PerformanceResourceTiming[]) {
      // What came from a cache was not under way; the parts are hidden from other origins.
      const ms = entry.requestStart ? entry.responseStart - entry.requestStart : entry.duration;
      const cached = entry.requestStart > 0 && entry.transferSize === 0;
      if (entry.name.startsWith(gateway) && !cached && ms > 0) trip(ms);
    }
  });
  observer.observe({ type: "resource", buffered: true });
  return () => observer.disconnect();
}
