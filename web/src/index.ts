export {
  createMarketClient,
  type EventSourceLike,
  type MarketClient,
  type MarketClientOptions,
} from "./client.ts";
export {
  type Connection,
  type ConnectionState,
  type Indicator,
  StreamError,
  type StreamErrorCode,
} from "./connection-state.ts";
export type * from "./events.ts";
export { symbolIndicator } from "./indicator.ts";
export type { Pace } from "./pace.ts";
export { MarketProvider, useClient, useValues } from "./react/context.ts";
export {
  type MarketStream,
  type MarketStreamOptions,
  type Positions,
  useConnection,
  useMarketStream,
  usePositions,
  usePrice,
  useSymbolStatus,
} from "./react/hooks.ts";
export { Paced } from "./react/paced.tsx";
export { useValue, useWatch } from "./react/use-value.ts";
export { isStock } from "./topics.ts";
export type { ValueOf, Values } from "./values.ts";
