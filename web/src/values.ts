/** The known values by topic. */

import type { Connection } from "./connection-state.ts";
import type { Account, Position, Price, SymbolStatus } from "./events.ts";

/** The type of a topic's value. `positions` are the symbols of all open positions, sorted. */
export type ValueOf<Topic extends string> = Topic extends `price:${string}`
  ? Price
  : Topic extends `status:${string}`
    ? SymbolStatus
    : Topic extends `position:${string}`
      ? Position
      : Topic extends "account"
        ? Account
        : Topic extends "positions"
          ? readonly string[]
          : Topic extends "connection"
            ? Connection
            : unknown;

/** Values to read and to follow. A value is replaced, not changed: compare by identity. */
export interface Values {
  /** The values are paused by a `Paced`. */
  readonly paused?: boolean | undefined;
  /** Return the newest shown value of a topic; undefined if there is none yet. */
  get<Topic extends string>(topic: Topic): ValueOf<Topic> | undefined;
  /** Call `listener` once a frame in which the topic's value has been replaced. */
  subscribe(topic: string, listener: () => void): () => void;
}
