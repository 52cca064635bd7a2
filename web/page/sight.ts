/** Chooses the rows that show a new price in a frame: some visible ones, some hidden ones. */

import { createContext } from "react";

/** Thirty visible rows are all updated within five frames, however fast prices arrive. */
const SEEN_A_FRAME = 6;
const UNSEEN_A_FRAME = 5;

/**
 * Browsers report hidden rows by `contentvisibilityautostatechange`. If a browser does not, all
 * rows count as visible.
 */
export class Sight {
  private readonly unseen = new Set<string>();
  /** The waiting listeners, oldest first, each with its row's symbol. */
  private readonly waiting = new Map<() => void, string>();
  private frame = 0;
  private running = false;

  sees(symbol: string): boolean {
    return !this.unseen.has(symbol);
  }
  /** Call a row's listener once: in this frame or one of the next. */
  request(symbol: string, listener: () => void): void {
    this.waiting.set(listener, symbol);
    if (this.running || this.frame > 0) return;
    this.running = true;
    // Wait until all rows with a new price in this frame are known.
    queueMicrotask(this.turn);
  }
  forget(listener: () => void): void {
    this.waiting.delete(listener);
  }
  /** Follow the rows in an element until the returned function is called. */
  follow(element: HTMLElement): () => void {
    const changed = (event: Event) => {
      const { symbol = "" } = (event.target as HTMLElement).dataset;
      if ((event as ContentVisibilityAutoStateChangeEvent).skipped) this.unseen.add(symbol);
      else this.unseen.delete(symbol);
    };
    element.addEventListener("contentvisibilityautostatechange", changed);
    return () => {
      element.removeEventListener("contentvisibilityautostatechange", changed);
      cancelAnimationFrame(this.frame);
      this.frame = 0;
      this.unseen.clear();
    };
  }
  private readonly turn = () => {
    this.running = false;
    let seen = SEEN_A_FRAME;
    let unseen = UNSEEN_A_FRAME;
    for (const [listener, symbol] of this.waiting) {
      if ((this.sees(symbol) ? seen-- : unseen--) <= 0) continue;
      this.waiting.delete(listener);
      listener();
    }
    this.frame = this.waiting.size > 0 ? requestAnimationFrame(this.turn) : 0;
  };
}

export const SightContext = createContext(new Sight());
