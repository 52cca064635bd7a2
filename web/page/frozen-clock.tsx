import type { ReactNode } from "react";
import { Now, useNow } from "./clock.ts";

/** Give what is below the time of each second, or that at which it was stopped. */
export function FrozenClock({ at, children }: { at: number | null; children: ReactNode }) {
  const now = useNow();
  return <Now.Provider value={at ?? now}>{children}</Now.Provider>;
}
