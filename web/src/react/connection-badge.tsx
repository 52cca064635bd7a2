import type { ReactNode } from "react";
import type { Indicator } from "../connection-state.ts";
import { useConnection } from "./hooks.ts";

/**
 * An indicator: a dot, its label, and its detail beside them. Defaults to the connection's; others
 * are the `status` of a hook and the result of `symbolIndicator`.
 */
export function ConnectionBadge({ indicator }: { indicator?: Indicator }): ReactNode {
  const connection = useConnection();
  const { state, label, detail } = indicator ?? connection;
  return (
    <>
      <span className="tapecast-badge" data-state={state}>
        {label}
      </span>
      {detail && <span>{detail}</span>}
    </>
  );
}
