/** The latency of prices: exchange, ingest, gateway, browser. Pure; all times in ms. */

import type { Price } from "../src/index.ts";

const WINDOW_MS = 10_000;
/** At most one event in this time is measured, so that the memory covers 10 s. */
const SPACING_MS = 10;
const MOST_SAMPLES = WINDOW_MS / SPACING_MS;
/** A heartbeat comes every 10 s. */
const BEATS_WINDOW_MS = 65_000;
/** Clocks drift, so that only the newest stamps, of the last minutes, are used. */
const MOST_STAMPS = 32;

/** The median and the 95th percentile of samples. */
export interface Percentiles {
  p50: number;
  p95: number;
}

/** The samples of the last seconds, in a fixed amount of memory. */
export class RollingSamples {
  private readonly at = new Float64Array(MOST_SAMPLES).fill(Number.NEGATIVE_INFINITY);
  private readonly values = new Float64Array(MOST_SAMPLES);
  private next = 0;
  private newest = Number.NEGATIVE_INFINITY;

  constructor(
    private readonly windowMs = WINDOW_MS,
    private readonly spacingMs = SPACING_MS,
  ) {}

  add(now: number, value: number): void {
    if (now - this.newest < this.spacingMs && now >= this.newest) return;
    this.newest = now;
    this.at[this.next] = now;
    this.values[this.next] = value;
    this.next = (this.next + 1) % MOST_SAMPLES;
  }
  percentiles(now: number): Percentiles | null {
    const recent = this.values
      .filter((_, index) => now - (this.at[index] ?? 0) <= this.windowMs)
      .sort();
    const at = (share: number) => recent[Math.ceil(recent.length * share) - 1] ?? 0;
    return recent.length > 0 ? { p50: at(0.5), p95: at(0.95) } : null;
  }
}

/**
 * An estimate of the gateway's clock minus the browser's.
 *
 * A stamp arrives older than it was sent, by its time on the network. The stamp with the largest
 * difference to the browser's clock had the shortest way. Its time is estimated as half of the
 * shortest round trip, as NTP does (RFC 5905, section 8).
 */
export class ClockOffset {
  private readonly stamps = new Float64Array(MOST_STAMPS).fill(Number.NEGATIVE_INFINITY);
  private next = 0;
  private newest = Number.NEGATIVE_INFINITY;
  private halfTrip = Number.POSITIVE_INFINITY;

  stamp(server: number, received: number): void {
    this.stamps[this.next] = server - received;
    this.next = (this.next + 1) % MOST_STAMPS;
    this.newest = Math.max(...this.stamps);
  }
  /** Add the round-trip time of a request to the gateway. */
  trip(ms: number): void {
    this.halfTrip = Math.min(this.halfTrip, ms / 2);
  }
  /** Null until a stamp and a round trip are known. */
  get estimate(): number | null {
    const offset = this.newest + this.halfTrip;
    return Number.isFinite(offset) ? offset : null;
  }
  /** The largest error of the estimate. */
  get error(): number {
    return this.halfTrip;
  }
}

/** The latency of each leg; null if it is not known. */
export interface Latency {
  exchangeToIngest: Percentiles | null;
  /** Includes the wait for the stream's interval. */
  ingestToGateway: Percentiles | null;
  gatewayToBrowser: Percentiles | null;
  /** The error of these figures that comes from the clocks of gateway and browser. */
  clockError: number | null;
}

/** Measures a stream's events as they arrive. */
export class LatencyMeter {
  private readonly upstream = new RollingSamples();
  private readonly downstream = new RollingSamples();
  private readonly beats = new RollingSamples(BEATS_WINDOW_MS, 0);
  private readonly offset = new ClockOffset();
  private readonly seen = new Set<string>();

  /** A stream has started: each symbol's first price comes from storage and is not measured. */
  streamStarted(): void {
    this.seen.clear();
  }
  /** Add the round-trip time of a request to the gateway. */
  trip(ms: number): void {
    this.offset.trip(ms);
  }
  /** An event with the gateway's time has arrived. */
  stamped(server: number, now: number): void {
    this.offset.stamp(server, now);
    const { estimate } = this.offset;
    if (estimate !== null) this.beats.add(now, now + estimate - server);
  }
  price({ symbol, timestamp, received }: Price, now: number): void {
    if (received === null || timestamp === null) return;
    if (!this.seen.has(symbol)) {
      this.seen.add(symbol);
      return;
    }
    this.upstream.add(now, received / 1000 - Date.parse(timestamp));
    const { estimate } = this.offset;
    if (estimate !== null) this.downstream.add(now, now + estimate - received / 1000);
  }
  report(now: number): Latency {
    const last = this.beats.percentiles(now);
    return {
      exchangeToIngest: this.upstream.percentiles(now),
      ingestToGateway: less(this.downstream.percentiles(now), last?.p50),
      gatewayToBrowser: last,
      clockError: this.offset.estimate === null ? null : this.offset.error,
    };
  }
}

function less(whole: Percentiles | null, part: number | undefined): Percentiles | null {
  if (whole === null || part === undefined) return null;
  return { p50: Math.max(0, whole.p50 - part), p95: Math.max(0, whole.p95 - part) };
}
