export { applyBar, type BarSeries, type ChartBar, type ChartTime, chartBar } from "./chart-bars.ts";
export { createMarketClient, type MarketClient } from "./client.ts";
export {
  type Connection,
  type ConnectionState,
  type Indicator,
  StreamError,
  type StreamErrorCode,
} from "./connection-state.ts";
export type * from "./events.ts";
export { symbolIndicator } from "./indicator.ts";
export { INVENTED } from "./invented.ts";
export type { EventSourceLike, MarketClientOptions } from "./options.ts";
export type { Pace } from "./pace.ts";
export { type FigureProps, NumberCell } from "./react/cell.tsx";
export { ConnectionBadge } from "./react/connection-badge.tsx";
export { MarketProvider, useClient, useValues } from "./react/context.tsx";
export { age, type Formats, formats } from "./react/format.ts";
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
export { PositionsTable } from "./react/positions-table.tsx";
export type { PositionsTableProps } from "./react/table-props.ts";
export { useValue, useWatch } from "./react/use-value.ts";
export { isSymbol, symbolOf } from "./topics.ts";
export { type Totals, totals } from "./totals.ts";
export { type Lot, valued } from "./valuation.ts";
export type { ValueOf, Values } from "./values.ts";
