// biome-ignore-all lint/a11y/noRedundantRoles: the rows are laid out as boxes, which have no role

import { memo, type ReactNode, useContext, useRef } from "react";
import { age, INVENTED, useSymbolStatus } from "../src/index.ts";
import { Now } from "./clock.ts";
import { figures } from "./figures.ts";
import { toneOf } from "./tone.ts";
import { useFlash } from "./use-flash.ts";
import { useRowPrice } from "./use-row-price.ts";

const REASONS: Record<string, string> = {
  no_trade_seen: "no trade seen yet",
  unknown_symbol: "Alpaca does not know it",
  redis_unavailable: "no stored prices at the moment",
};

const { percent, price: figure, quantity, signedPrice } = figures();

interface RowProps {
  symbol: string;
  /** Its prices are invented. */
  invented: boolean;
  selected: boolean;
  /** The tab key reaches this row. */
  reached: boolean;
}

/** The characters of a symbol that fit into its column in the usual size. */
const LONG = 12;

/** A symbol. Each of its cells renders only when its own value changes. */
export const WatchlistRow = memo(function WatchlistRow(props: RowProps): ReactNode {
  const { symbol, invented, selected, reached } = props;
  const tabIndex = reached ? 0 : -1;
  return (
    <tr role="row" data-symbol={symbol} aria-current={selected || undefined}>
      <th role="rowheader" scope="row">
        <button
          type="button"
          data-field="symbol"
          data-long={symbol.length > LONG || undefined}
          title={symbol.length > LONG ? symbol : undefined}
          tabIndex={tabIndex}
        >
          {symbol}
        </button>
        <State symbol={symbol} />
        {invented && (
          <span className="tag" data-field="invented" title={INVENTED}>
            invented
          </span>
        )}
      </th>
      <Figures symbol={symbol} />
      <td role="cell">
        <button type="button" name="remove" tabIndex={tabIndex} aria-label={`Remove ${symbol}`}>
          ×
        </button>
      </td>
    </tr>
  );
});

/** The state of the symbol, unless it is live. */
function State({ symbol }: { symbol: string }): ReactNode {
  const status = useSymbolStatus(symbol);
  const state = status?.state === "live" ? undefined : status?.state;
  return (
    <span
      className={state && "tag"}
      data-field="state"
      data-state={state}
      title={status?.reason ?? undefined}
    >
      {state}
    </span>
  );
}

function Figures({ symbol }: { symbol: string }): ReactNode {
  const price = useRowPrice(symbol);
  const last = (
    <LastPrice symbol={symbol} text={figure(price?.price)} value={price?.price ?? null} />
  );
  if (price?.reason)
    return (
      <>
        {last}
        <td role="cell" colSpan={4} data-field="age" data-reason={price.reason}>
          {REASONS[price.reason] ?? price.reason}
        </td>
      </>
    );
  const { change = null, change_percent = null, size = null, exchange, timestamp } = price ?? {};
  return (
    <>
      {last}
      <td role="cell" data-field="change" data-tone={toneOf(change)}>
        {change !== null && (
          <>
            {signedPrice(change, price?.price)}
            {change_percent !== null && <span className="ratio"> {percent(change_percent)}</span>}
          </>
        )}
      </td>
      <td role="cell" data-field="size">
        {size !== null && quantity(size)}
      </td>
      <td role="cell" data-field="exchange">
        {exchange}
      </td>
      <Age of={timestamp} />
    </>
  );
}

function LastPrice(props: { symbol: string; text: string; value: number | null }): ReactNode {
  const { symbol, text, value } = props;
  const cell = useRef<HTMLTableCellElement>(null);
  useFlash(cell, symbol, text, value);
  return (
    <td role="cell" ref={cell} data-field="price">
      {text}
    </td>
  );
}

function Age({ of }: { of: string | null | undefined }): ReactNode {
  const now = useContext(Now);
  return (
    <td role="cell" data-field="age">
      {of && now > 0 && age(now - Date.parse(of))}
    </td>
  );
}
