import type { ReactNode } from "react";
import { ConnectionBadge, useClient, useConnection } from "../src/index.ts";
import { AccountSummary } from "./account-summary.tsx";
import { Controls, type ControlsProps } from "./controls.tsx";
import { MarketSession } from "./market-session.tsx";

/** The connection, the market session, the account, and the controls of the page. */
export function Header(props: ControlsProps): ReactNode {
  const client = useClient();
  const connection = useConnection();
  const { state, error } = connection;
  return (
    <header className="header">
      <h1>Tapecast</h1>
      <div className="connection">
        <span id="connection" data-state={state}>
          <ConnectionBadge indicator={{ ...connection, detail: null }} />
        </span>
        <span id="reason">{connection.detail}</span>
        {error?.retryable && (
          <button type="button" onClick={client.reconnect}>
            Retry
          </button>
        )}
      </div>
      <MarketSession />
      <AccountSummary />
      <Controls {...props} />
    </header>
  );
}
