import { useMemo } from "react";
import { isSymbol, priceTopics } from "../topics.ts";
import type { Lot } from "../valuation.ts";
import type { Entry } from "./entry.ts";
import { POSITION_TOPICS } from "./hooks.ts";
import { useValue, useWatch } from "./use-value.ts";

/** Return the rows' entries, and watch their topics; undefined while positions are unknown. */
export function useEntries(lots: readonly Lot[] | undefined): readonly Entry[] | undefined {
  const symbols = useValue("positions");
  // biome-ignore lint/correctness/useExhaustiveDependencies: equal lots in a new array change nothing
  const entries = useMemo(
    () => (lots ? lotEntries(lots) : symbols?.map(positionEntry)),
    [JSON.stringify(lots), symbols],
  );
  const known = entries?.map(({ symbol }) => symbol).filter(isSymbol) ?? [];
  useWatch(
    lots ? priceTopics(known) : [...POSITION_TOPICS, ...known.map((each) => `status:${each}`)],
  );
  return entries;
}

const positionEntry = (symbol: string): Entry => ({
  key: symbol,
  symbol,
  topic: `position:${symbol}`,
});

/** A symbol may have several lots. Each is a row, whose key has its number among them. */
const lotEntries = (lots: readonly Lot[]): Entry[] =>
  lots.map((lot, at) => {
    const { symbol } = lot;
    const number = lots.slice(0, at).filter((other) => other.symbol === symbol).length;
    return { key: `${symbol} ${number}`, symbol, topic: `price:${symbol}`, lot };
  });
