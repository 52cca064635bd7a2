import { type ReactNode, useEffect, useMemo } from "react";
import { type Pace, paced } from "../pace.ts";
import { useValues, ValuesContext } from "./context.tsx";

/**
 * Update the components below at a pace: each frame (0), after a number of seconds, or `paused`. A
 * `Paced` inside another is no faster than the outer one.
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
