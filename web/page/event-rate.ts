/** The rate of events. Pure. */

const SECONDS = 10;

export class EventRate {
  private readonly counts = new Uint32Array(SECONDS + 1);
  private newest = 0;
  private oldest = Number.POSITIVE_INFINITY;

  /** `now` in unix ms. */
  count(now: number): void {
    const at = this.roll(now) % this.counts.length;
    this.counts[at] = (this.counts[at] ?? 0) + 1;
  }
  /** Return the mean of the last ten whole seconds, of fewer at the start; null before the first. */
  perSecond(now: number): number | null {
    const second = this.roll(now);
    const seconds = Math.min(SECONDS, second - this.oldest);
    if (!(seconds > 0)) return null;
    const unfinished = this.counts[second % this.counts.length] ?? 0;
    return (this.counts.reduce((sum, each) => sum + each, 0) - unfinished) / seconds;
  }
  private roll(now: number): number {
    const second = Math.floor(now / 1000);
    this.oldest = Math.min(this.oldest, second);
    const from = Math.max(this.newest + 1, second - SECONDS);
    for (let each = from; each <= second; each++) this.counts[each % this.counts.length] = 0;
    this.newest = Math.max(this.newest, second);
    return this.newest;
  }
}
