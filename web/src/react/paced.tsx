import { createElement, type ReactNode, useEffect, useMemo } from "react";
import { type Pace, paced } from "../pace.ts";
import { useClient, ValuesContext } from "./context.ts";

/** Show what is below at a pace: every frame (0), every so many seconds, or `paused`. */
export function Paced({ pace, children }: { pace: Pace; children?: ReactNode }): ReactNode {
  const client = useClient();
  const values = useMemo(() => paced(client), [client]);
  useEffect(() => {
    values.setPace(pace);
    return () => values.setPace(0);
  }, [values, pace]);
  return createElement(ValuesContext.Provider, { value: values }, children);
}
