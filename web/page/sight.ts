/** Which rows somebody can see: those out of sight follow their prices a little later. */

import { createContext } from "react";

const SLICE = 20;
const SLICE_MS = 40;

/**
 * Rows tell of themselves by `contentvisibilityautostatechange`; where a browser does not, all
 * count as seen.
 */
export class Sight {
  private readonly unseen = new Set<string>();
  private readonly waiting = new Set<() => void>();
  private timer: ReturnType<typeof setTimeout> | undefined;

  sees(symbol: string): boolean {
    return !this.unseen.has(symbol);
  }
  /** Call a row's listener now, or when it is the turn of those that nobody sees. */
  tell(symbol: string, listener: () => void): void {
    if (this.sees(symbol)) listener();
    else {
      this.waiting.add(listener);
      this.timer ??= setTimeout(this.slice, SLICE_MS);
    }
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
      clearTimeout(this.timer);
      this.timer = undefined;
      this.unseen.clear();
    };
  }
  private readonly slice = () => {
    this.timer = undefined;
    for (const listener of [...this.waiting].slice(0, SLICE)) {
      this.waiting.delete(listener);
      listener();
    }
    if (this.waiting.size > 0) this.timer = setTimeout(this.slice, SLICE_MS);
  };
}

export const SightContext = createContext(new Sight());
