/** The table itself, at the pace of the `Paced` around it. */

import { type KeyboardEvent, type ReactNode, useMemo, useState } from "react";
import { isStock, priceTopics } from "../topics.ts";
import type { Lot } from "../valuation.ts";
import { COLUMNS } from "./columns.tsx";
import { useValues } from "./context.tsx";
import { type Entry, ordered } from "./entry.ts";
import { formats } from "./format.ts";
import { POSITION_TOPICS, useConnection } from "./hooks.ts";
import { PositionRow } from "./position-row.tsx";
import type { PositionsTableProps } from "./positions-table.tsx";
import { TableFoot } from "./table-foot.tsx";
import { useValue, useWatch } from "./use-value.ts";

const LABELS = ["Symbol", .../* @__PURE__ */ COLUMNS.map(([label]) => label), "Age"];

/** Return what there is a row of; undefined while that is not known. */
function useEntries(lots: PositionsTableProps["positions"]): readonly Entry[] | undefined {
  const symbols = useValue("positions");
  // Lots that are new but equal are the same.
  const key = lots && JSON.stringify(lots);
  const entries = useMemo<readonly Entry[] | undefined>(
    () =>
      key
        ? JSON.parse(key).map((lot: Lot) => ({
            symbol: lot.symbol,
            topic: `price:${lot.symbol}`,
            lot,
          }))
        : symbols?.map((symbol) => ({ symbol, topic: `position:${symbol}` })),
    [key, symbols],
  );
  const stocks = entries?.map(({ symbol }) => symbol).filter(isStock) ?? [];
  useWatch(
    lots ? priceTopics(stocks) : [...POSITION_TOPICS, ...stocks.map((each) => `status:${each}`)],
  );
  return entries;
}

const rowOf = (event: { target: EventTarget }) => (event.target as Element).closest("tr");

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
  /** Why what is open is not known, if so. */
  unknown: unknown;
}

export function TableBoard(props: BoardProps): ReactNode {
  const { positions, caption = "Positions", locale, currency, selected, onSelect, unknown } = props;
  const entries = useEntries(positions);
  const values = useValues();
  const account = useValue("account");
  const { state } = useConnection();
  const [order, setOrder] = useState(0);
  const money = currency ?? account?.currency;
  const format = useMemo(() => formats(locale, money), [locale, money]);
  const rows = useMemo(
    () => (order ? ordered(entries ?? [], order, values) : (entries ?? [])),
    [entries, order, values],
  );
  const way = (rows.find(({ symbol }) => symbol === selected) ?? rows[0])?.symbol;
  const loading = !entries && !unknown;
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls, by the keyboard too
    <section tabIndex={0} aria-label={caption} aria-busy={loading}>
      <table>
        <caption>{caption}</caption>
        <thead>
          <tr>
            {LABELS.map((label, at) => {
              const column = at + 1;
              return (
                <th
                  key={label}
                  scope="col"
                  aria-sort={
                    order === column ? "ascending" : order === -column ? "descending" : undefined
                  }
                >
                  <button
                    type="button"
                    // Figures the largest first.
                    onClick={() =>
                      setOrder(Math.abs(order) === column ? -order : at ? -column : column)
                    }
                  >
                    {label}
                  </button>
                </th>
              );
            })}
          </tr>
        </thead>
        <tbody
          onKeyDown={step}
          onClick={(event) => {
            const symbol = rowOf(event)?.dataset.symbol;
            if (symbol) onSelect?.(symbol);
          }}
        >
          {rows.map((entry) => (
            <PositionRow
              key={entry.symbol}
              entry={entry}
              formats={format}
              delayed={state === "delayed"}
              selected={entry.symbol === selected}
              tab={onSelect && (entry.symbol === way ? 0 : -1)}
            />
          ))}
          {!rows.length &&
            (loading ? [1, 2, 3] : [0]).map((row) => (
              <tr key={row}>
                <td colSpan={9}>{row ? "…" : unknown ? "Not known" : "No open positions"}</td>
              </tr>
            ))}
        </tbody>
        <TableFoot entries={rows} formats={format} announcing={props.announcing} />
      </table>
    </section>
  );
}
