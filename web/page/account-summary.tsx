import type { ReactNode } from "react";
import { useConnection, useValue } from "../src/index.ts";
import { figures } from "./figures.ts";
import { toneOf } from "./tone.ts";

/** The account's value and gains, if the token allows them. */
export function AccountSummary(): ReactNode {
  const account = useValue("account");
  const { connected } = useConnection();
  if (account === undefined || account.state === "unknown") return <dl className="account" />;
  const { money, signedMoney, percent } = figures(account.currency);
  const gains = [
    { label: "Day P&L", value: account.day_pl, ratio: account.day_plpc },
    { label: "Total P&L", value: account.unrealized_pl, ratio: null },
  ];
  return (
    <dl
      className="account"
      title={account.reason ?? undefined}
      data-state={connected ? account.state : "stale"}
    >
      <div>
        <dt>Equity</dt>
        <dd data-field="equity">{money(account.equity)}</dd>
      </div>
      {gains.map(({ label, value, ratio }) => (
        <div key={label}>
          <dt>{label}</dt>
          <dd data-field={label} data-tone={toneOf(value)}>
            {signedMoney(value)}
            {ratio !== null && <span className="secondary"> {percent(ratio)}</span>}
          </dd>
        </div>
      ))}
    </dl>
  );
}
