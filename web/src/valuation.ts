/** What is held of a symbol, valued at the stream's price. Pure. */

import type { Position, Price } from "./events.ts";

/** A holding of one's own: negative `qty` when sold short, `avg_entry_price` of one share. */
export interface Lot {
  symbol: string;
  qty: number;
  avg_entry_price: number;
}

/**
 * Round to cents as the gateway does, half to even, past the noise of binary fractions: 3 * 101.1 is
 * 303.29999999999995 in them. Up to some ten millions, that is as exact as decimals are.
 */
const money = (value: number): number => {
  const cents = +(value * 100).toFixed(6);
  return (Math.abs(cents % 1) === 0.5 ? 2 * Math.round(cents / 2) : Math.round(cents)) / 100;
};

/** As much of a position as is known of a lot: the rest is the broker's. */
export type Valued = Pick<
  Position,
  | "symbol"
  | "qty"
  | "avg_entry_price"
  | "current_price"
  | "lastday_price"
  | "change_today"
  | "market_value"
  | "cost_basis"
  | "unrealized_pl"
  | "unrealized_plpc"
  | "unrealized_intraday_pl"
  | "unrealized_intraday_plpc"
  | "timestamp"
  | "reason"
>;

/** Value a lot: without a price there is its cost only, without a cost no percentage. */
export function valued(lot: Lot, told: Partial<Price> = {}): Valued {
  const { price = null, previous_close = null, change_percent = null } = told;
  const { timestamp = null, reason = null } = told;
  const cost = lot.avg_entry_price;
  const gain = (from: number | null, to: number | null) =>
    from === null || to === null ? null : money(lot.qty * (to - from));
  const ratio = (from: number | null) => {
    const paid = Math.abs(lot.qty * (from ?? 0));
    return price === null || !paid ? null : (gain(from, price) ?? 0) / paid;
  };
  return {
    ...lot,
    current_price: price,
    lastday_price: previous_close,
    change_today: change_percent,
    market_value: gain(0, price),
    cost_basis: gain(0, cost),
    unrealized_pl: gain(cost, price),
    unrealized_plpc: ratio(cost),
    unrealized_intraday_pl: gain(previous_close, price),
    unrealized_intraday_plpc: ratio(previous_close),
    timestamp,
    reason,
  };
}
