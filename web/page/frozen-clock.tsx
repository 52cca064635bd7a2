import type { ReactNode } from "react";
import { Now, useNow } from "./clock.ts";

/** Provide the time to the components below; `at`, if it is not null, stops it. */
export function FrozenClock({ at, children }: { at: number | null; children: ReactNode }) {
  const now = useNow();
  return <Now.Provider value={at ?? now}>{children}</Now.Provider>;
}
