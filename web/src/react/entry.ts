/** The rows of the table and their order. */

import type { Position, Price } from "../events.ts";
import { type Lot, type Valued, valued } from "../valuation.ts";
import type { Values } from "../values.ts";
import { COLUMNS } from "./columns.tsx";

/** A row: a position of the account, or one of your own lots. */
export interface Entry {
  /** Differs from that of each other row. */
  readonly key: string;
  readonly symbol: string;
  /** The topic whose value the row shows. */
  readonly topic: `price:${string}` | `position:${string}`;
  readonly lot?: Lot;
}

/** Return the position of an entry, given its topic's value. */
export const positionOf = (
  { lot }: Entry,
  value: Position | Price | undefined,
): Valued | undefined => (lot ? valued(lot, value as Price) : (value as Position));

/**
 * Return the entries sorted by their present values; entries that have no value come last.
 *
 * `column` counts from 1, the symbol, and is negative for descending order; 0 changes no order.
 */
export function ordered(
  entries: readonly Entry[],
  column: number,
  { get }: Values,
): readonly Entry[] {
  if (!column) return entries;
  const way = Math.sign(column);
  const by = column * way - 2;
  const key = (entry: Entry) => {
    if (by < 0) return entry.symbol;
    const position = positionOf(entry, get(entry.topic));
    const [, , value = age] = COLUMNS[by] ?? [];
    return (position && value(position)) ?? way * Number.POSITIVE_INFINITY;
  };
  return entries
    .map((entry) => [key(entry), entry] as const)
    .sort(([a], [b]) => (a < b ? -way : a > b ? way : 0))
    .map(([, entry]) => entry);
}

const age = ({ timestamp }: Valued) => timestamp && -Date.parse(timestamp);
