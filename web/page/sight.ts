/** Which rows take their newest price in a frame: a few of those that are seen, a few others. */

import { createContext } from "react";

/** Thirty rows on the screen are all new within five frames, however fast prices come. */
const SEEN_A_FRAME = 6;
const UNSEEN_A_FRAME = 5;

/**
 * Rows tell of themselves by `contentvisibilityautostatechange`; where a browser does not, all
 * count as seen.
 */
export class Sight {
  private readonly unseen = new Set<string>();
  /** Listeners by their row's symbol, in the order in which they came. */
  private readonly waiting = new Map<() => void, string>();
  private frame = 0;
  private running = false;

  sees(symbol: string): boolean {
    return !this.unseen.has(symbol);
  }
  /** Call a row's listener, once, when it is its turn: in this frame or one soon after. */
  tell(symbol: string, listener: () => void): void {
    this.waiting.set(listener, symbol);
    if (this.running || this.frame > 0) return;
    this.running = true;
    // After all that have something new in this frame have come.
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
