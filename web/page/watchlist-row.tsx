// biome-ignore-all lint/a11y/noRedundantRoles: the rows are laid out as boxes, and a box has no role by itself

import { memo, type ReactNode, useContext, useRef } from "react";
import { type Price, useSymbolStatus, useValue } from "../src/index.ts";
import { Now } from "../src/react/clock.ts";
import { age } from "./duration.ts";
import { figures } from "./figures.ts";
import { ToneArrow, toneOf } from "./tone.tsx";
import { useFlash } from "./use-flash.ts";

const REASONS: Record<string, string> = {
  no_trade_seen: "no trade seen yet",
  unknown_symbol: "Alpaca does not know it",
  redis_unavailable: "no stored prices at the moment",
};

const { percent, price: figure, quantity, signedPrice } = figures();

interface RowProps {
  symbol: string;
  selected: boolean;
  /** The tab key comes to this row. */
  reached: boolean;
}

/** A symbol; each cell is rendered when what it shows changes. */
export const WatchlistRow = memo(function WatchlistRow(props: RowProps): ReactNode {
  const { symbol, selected, reached } = props;
  const tabIndex = reached ? 0 : -1;
  return (
    <tr role="row" data-symbol={symbol} aria-current={selected || undefined}>
      <th role="rowheader" scope="row">
        <button type="button" data-field="symbol" tabIndex={tabIndex}>
          {symbol}
        </button>
        <State symbol={symbol} />
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

/** Live needs no word; every other state says what to think of the price beside it. */
function State({ symbol }: { symbol: string }): ReactNode {
  const status = useSymbolStatus(symbol);
  const state = status?.state === "live" ? undefined : status?.state;
  return (
    <span
      className={state && "tapecast-tag"}
      data-field="state"
      data-state={state}
      title={status?.reason ?? undefined}
    >
      {state}
    </span>
  );
}

function Figures({ symbol }: { symbol: string }): ReactNode {
  const price = useValue(`price:${symbol}`);
  const { change, change_percent } = price ?? {};
  return (
    <>
      <LastPrice text={figure(price?.price)} value={price?.price ?? null} />
      <td role="cell" data-field="change" data-tone={toneOf(change)}>
        {change != null && (
          <>
            <ToneArrow value={change} />
            {signedPrice(change, price?.price)}
            {change_percent != null && <span className="ratio"> {percent(change_percent)}</span>}
          </>
        )}
      </td>
      <td role="cell" data-field="size">
        {price?.size != null && quantity(price.size)}
      </td>
      <td role="cell" data-field="exchange">
        {price?.exchange}
      </td>
      <Age of={price} />
    </>
  );
}

function LastPrice({ text, value }: { text: string; value: number | null }): ReactNode {
  const cell = useRef<HTMLTableCellElement>(null);
  useFlash(cell, text, value);
  return (
    <td role="cell" ref={cell} data-field="price">
      {text}
    </td>
  );
}

/** How long ago the price was made, or why there is none. */
function Age({ of }: { of: Price | undefined }): ReactNode {
  const now = useContext(Now);
  const reason = of?.price === null ? of.reason : null;
  const text =
    reason !== null
      ? (REASONS[reason] ?? reason)
      : of?.timestamp
        ? now > 0 && age(now - Date.parse(of.timestamp))
        : null;
  return (
    <td role="cell" data-field="age" data-reason={reason ?? undefined}>
      {text}
    </td>
  );
}
