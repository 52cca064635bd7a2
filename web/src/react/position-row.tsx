import { memo, type ReactNode } from "react";
import type { Position } from "../events.ts";
import { INVENTED } from "../invented.ts";
import { figureCells } from "./columns.tsx";
import { type Entry, positionOf } from "./entry.ts";
import { type Formats, NONE } from "./format.ts";
import { useValue } from "./use-value.ts";

interface RowProps {
  entry: Entry;
  formats: Formats;
  /** The feed is behind the exchange. */
  delayed: boolean;
  /** The symbol's prices are invented. */
  invented: boolean;
  selected: boolean;
  /** The `tabIndex` of the row's button; undefined if rows cannot be selected. */
  tab: 0 | -1 | undefined;
}

/** One position. It renders only when its own topics change. */
export const PositionRow = /* @__PURE__ */ memo(function PositionRow(props: RowProps): ReactNode {
  const { entry, formats, delayed, invented, selected, tab } = props;
  const { symbol } = entry;
  const position = positionOf(entry, useValue(entry.topic));
  const status = useValue(`status:${symbol}`);
  return (
    <tr data-symbol={symbol} data-state={status?.state} aria-current={selected}>
      <th scope="row">
        {tab !== undefined ? (
          <button type="button" tabIndex={tab}>
            {symbol}
          </button>
        ) : (
          symbol
        )}
        {status && !/live|quiet/.test(status.state) && (
          <span title={status.reason as string}>{status.state}</span>
        )}
        {delayed && <span>delayed</span>}
        {invented && (
          <span data-state="invented" title={INVENTED}>
            invented
          </span>
        )}
        {(position as Partial<Position> | undefined)?.price_source === "broker" && (
          <span title={position?.reason as string}>broker’s price</span>
        )}
      </th>
      {figureCells(position ?? {}, formats)}
      <td>{position?.timestamp ? <time dateTime={position.timestamp} /> : NONE}</td>
    </tr>
  );
});
