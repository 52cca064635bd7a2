/** The time of the page. */

import { type Context, createContext, useEffect, useState } from "react";

/** Unix ms; 0 before the first tick. It does not advance while the page is paused. */
export const Now: Context<number> = createContext(0);

/** Return the time in unix ms, updated each second. */
export function useNow(): number {
  const [now, setNow] = useState(0);
  useEffect(() => {
    const tick = () => setNow(Date.now());
    const timer = setInterval(tick, 1000);
    tick();
    return () => clearInterval(timer);
  }, []);
  return now;
}
