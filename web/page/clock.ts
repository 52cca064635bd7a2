/** The time on the screen. */

import { type Context, createContext, useEffect, useState } from "react";

/** Unix ms, 0 before the first second; it stands still while the page is paused. */
export const Now: Context<number> = createContext(0);

/** Return the time, each second anew. */
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
