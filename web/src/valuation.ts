/** The value of a lot at the stream's price. Pure. */

import type { Position, Price } from "./events.ts";

/** Your holding of a symbol: `qty` is negative if sold short, `avg_entry_price` is per share. */
export interface Lot {
  symbol: string;
  qty: number;
  avg_entry_price: number;
}

/**
 * Round to cents as the gateway does, half to even. First remove the error of binary fractions, in
 * which 3 * 101.1 is 303.29999999999995. Up to about ten million, this equals decimal rounding.
 */
const money = (value: number): number => {
  const cents = +(value * 100).toFixed(6);
  return (Math.abs(cents % 1) === 0.5 ? 2 * Math.round(cents / 2) : Math.round(cents)) / 100;
};

/** The fields of a position that follow from a lot and a price. Only the broker has the others. */
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

/** Value a lot. If there is no price, only its cost is known; if it cost nothing, no ratio is. */
export function valued(lot: Lot, at: Partial<Price> = {}): Valued {
  const { price = null, previous_close = null, change_percent = null } = at;
  const { timestamp = null, reason = null } = at;
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
