/** What the rows of the table are of, and in which order. */

import type { Position, Price } from "../events.ts";
import { type Lot, type Valued, valued } from "../valuation.ts";
import type { Values } from "../values.ts";
import { COLUMNS } from "./columns.tsx";

/** A position of the account, or a lot of one's own. */
export interface Entry {
  readonly symbol: string;
  /** What it changes with. */
  readonly topic: `price:${string}` | `position:${string}`;
  readonly lot?: Lot;
}

/** Return the position of an entry, given its topic's value. */
export const positionOf = (
  { lot }: Entry,
  value: Position | Price | undefined,
): Valued | undefined => (lot ? valued(lot, value as Price) : (value as Position));

/**
 * Return entries in an order by what they are now; those without a figure come last.
 *
 * `column` is counted from 1, the symbol's, and negative for the other way round.
 */
export function ordered(
  entries: readonly Entry[],
  column: number,
  { get }: Values,
): readonly Entry[] {
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
