/** The topic that brings the prices of a symbol. Pure. */

import { isStock, type Position, type Price } from "../src/index.ts";

type Priced = Price | Position | undefined;
type PricedTopic = `price:${string}` | `position:${string}`;

/** Currency pairs and options have no price topic; their prices come with positions. */
export const topicOf = (symbol: string): PricedTopic =>
  isStock(symbol) ? `price:${symbol}` : `position:${symbol}`;

export const lastPriceOf = (value: Priced): number | null | undefined =>
  value && "price" in value ? value.price : value?.current_price;

/** Return the previous close. */
export const lastCloseOf = (value: Priced): number | null | undefined =>
  value && "price" in value ? value.previous_close : value?.lastday_price;
