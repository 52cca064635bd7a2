/** The table itself, at the pace of the `Paced` around it. */

import { type KeyboardEvent, type ReactNode, useMemo, useState } from "react";
import { useValues } from "./context.tsx";
import { ordered } from "./entry.ts";
import { formats } from "./format.ts";
import { useConnection } from "./hooks.ts";
import { PositionRow } from "./position-row.tsx";
import { TableFoot } from "./table-foot.tsx";
import { TableHead } from "./table-head.tsx";
import type { PositionsTableProps } from "./table-props.ts";
import { useEntries } from "./use-entries.ts";
import { useValue } from "./use-value.ts";

const rowOf = (event: { target: EventTarget }) => (event.target as Element).closest("tr");

/** Move the focus to the row above or below. */
function step(event: KeyboardEvent) {
  const row = rowOf(event);
  const next =
    event.key === "ArrowDown"
      ? row?.nextElementSibling
      : event.key === "ArrowUp" && row?.previousElementSibling;
  if (!next) return;
  event.preventDefault();
  next.querySelector("button")?.focus();
}

interface BoardProps extends PositionsTableProps {
  announcing: boolean;
  /** Why the open positions are not known; null if they are, or are still expected. */
  unknown: unknown;
}

export function TableBoard(props: BoardProps): ReactNode {
  const { positions, caption = "Positions", locale, currency, selected, onSelect, unknown } = props;
  const entries = useEntries(positions);
  const values = useValues();
  const account = useValue("account");
  const { state, invented } = useConnection();
  const [order, setOrder] = useState(0);
  const money = currency ?? account?.currency;
  const format = useMemo(() => formats(locale, money), [locale, money]);
  const rows = useMemo(() => ordered(entries ?? [], order, values), [entries, order, values]);
  const reached = rows.find(({ symbol }) => symbol === selected) ?? rows[0];
  const loading = !entries && !unknown;
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: the keyboard must be able to scroll it
    <section tabIndex={0} aria-label={caption} aria-busy={loading}>
      <table>
        <caption>{caption}</caption>
        <TableHead order={order} onOrder={setOrder} />
        <tbody
          onKeyDown={step}
          onClick={(event) => {
            const symbol = rowOf(event)?.dataset.symbol;
            if (symbol) onSelect?.(symbol);
          }}
        >
          {rows.map((entry) => (
            <PositionRow
              key={entry.key}
              entry={entry}
              formats={format}
              delayed={state === "delayed"}
              invented={invented.includes(entry.symbol)}
              selected={entry.symbol === selected}
              tab={onSelect && (entry === reached ? 0 : -1)}
            />
          ))}
          {!rows.length && fillers(loading, unknown)}
        </tbody>
        <TableFoot entries={rows} formats={format} announcing={props.announcing} />
      </table>
    </section>
  );
}

/** Rows in place of positions: three while they load, otherwise one that explains their absence. */
const fillers = (loading: boolean, unknown: unknown) =>
  (loading ? [1, 2, 3] : [0]).map((row) => (
    <tr key={row}>
      <td colSpan={9}>{row ? "…" : unknown ? "Not known" : "No open positions"}</td>
    </tr>
  ));
