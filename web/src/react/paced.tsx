import { type ReactNode, useEffect, useMemo } from "react";
import { type Pace, paced } from "../pace.ts";
import { useValues, ValuesContext } from "./context.tsx";

/**
 * Show what is below at a pace: every frame (0), every so many seconds, or `paused`; no faster than
 * what is around it.
 */
export function Paced({ pace, children }: { pace: Pace; children?: ReactNode }): ReactNode {
  const outer = useValues();
  const values = useMemo(() => paced(outer), [outer]);
  useEffect(() => {
    values.setPace(pace);
    return () => values.setPace(0);
  }, [values, pace]);
  return <ValuesContext.Provider value={values}>{children}</ValuesContext.Provider>;
}
