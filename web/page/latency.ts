/** How long a price is on its way: exchange, ingest, gateway, browser. Pure; all times in ms. */

import type { Price } from "../src/index.ts";

const WINDOW_MS = 10_000;
/** Of more events than this a second only some are measured: the memory is for 10 s of them. */
const SPACING_MS = 10;
const MOST_SAMPLES = WINDOW_MS / SPACING_MS;
/** A heartbeat comes every 10 s. */
const BEATS_WINDOW_MS = 65_000;
/** Clocks drift: what was stamped more than some minutes ago says nothing of now. */
const MOST_STAMPS = 32;

/** The half and the 95th hundredth of samples; null where there is none. */
export interface Percentiles {
  p50: number;
  p95: number;
}

/** The samples of the last seconds, in memory that is never more. */
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
 * The gateway's clock less the browser's, as closely as is known.
 *
 * A stamp of the gateway's is as old as it was long on its way. The newest of some was under way
 * for the shortest time, which is taken to be half of the shortest round trip, as NTP does.
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
  /** A request to the gateway and back took so long. */
  trip(ms: number): void {
    this.halfTrip = Math.min(this.halfTrip, ms / 2);
  }
  /** Null until a stamp and a round trip are known. */
  get estimate(): number | null {
    const offset = this.newest + this.halfTrip;
    return Number.isFinite(offset) ? offset : null;
  }
  /** How far the estimate may be off. */
  get error(): number {
    return this.halfTrip;
  }
}

/** What is known of each leg, null where nothing is. */
export interface Latency {
  exchangeToIngest: Percentiles | null;
  /** With what the stream's interval holds back. */
  ingestToGateway: Percentiles | null;
  gatewayToBrowser: Percentiles | null;
  /** How far the clocks of gateway and browser may be apart in these figures. */
  clockError: number | null;
}

/** Measures a stream's events as they come. */
export class LatencyMeter {
  private readonly upstream = new RollingSamples();
  private readonly downstream = new RollingSamples();
  private readonly beats = new RollingSamples(BEATS_WINDOW_MS, 0);
  private readonly offset = new ClockOffset();
  private readonly seen = new Set<string>();

  /** A stream begins: the first price of each symbol is what was stored, and says nothing. */
  began(): void {
    this.seen.clear();
  }
  /** A request to the gateway and back took so long. */
  trip(ms: number): void {
    this.offset.trip(ms);
  }
  /** Something was heard that the gateway stamped. */
  heard(server: number, now: number): void {
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
