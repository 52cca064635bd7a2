import type { ReactNode } from "react";
import type { Indicator } from "../connection-state.ts";
import { useConnection } from "./hooks.ts";

/**
 * How things are, in one word and a dot; beside it what more there is to say.
 *
 * Of the connection, unless another indicator is given: `status` of a hook, `symbolIndicator`.
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
