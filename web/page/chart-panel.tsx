import { type ReactNode, useRef } from "react";
import { useValue } from "../src/index.ts";
import { figures } from "./figures.ts";
import type { PriceHistory } from "./price-history.ts";
import { toneOf } from "./tone.ts";
import { usePriceChart } from "./use-price-chart.ts";

interface ChartPanelProps {
  symbol: string;
  history: PriceHistory;
  /** Changes with the colours of the page. */
  look: string;
}

/** The prices of a symbol since the page started to watch it. */
export function ChartPanel({ symbol, history, look }: ChartPanelProps): ReactNode {
  const place = useRef<HTMLDivElement>(null);
  const error = usePriceChart(place, symbol, history, look);
  return (
    <section className="panel chart" aria-labelledby="chart-title">
      <div className="panel-head">
        <h2 id="chart-title">{symbol}</h2>
        <ChartFigures symbol={symbol} />
      </div>
      <div className="chart-place" ref={place} role="img" aria-label={`Prices of ${symbol}`} />
      <p className="chart-foot">
        {error && <span className="problem">The chart could not be loaded: {error}. </span>}
        New York time ·{" "}
        <a href="https://www.tradingview.com/" rel="noopener noreferrer" target="_blank">
          TradingView Lightweight Charts™
        </a>{" "}
        Copyright (с) 2025 TradingView, Inc. · <a href="licenses.txt">Licences</a>
      </p>
    </section>
  );
}

function ChartFigures({ symbol }: { symbol: string }): ReactNode {
  const value = useValue(`price:${symbol}`);
  const { price, signedPrice, percent } = figures();
  const last = value?.price;
  const before = value?.previous_close;
  const change = last == null || before == null ? null : last - before;
  return (
    <p className="chart-figures">
      <strong data-field="last">{price(last)}</strong>
      {change !== null && (
        <span data-tone={toneOf(change)}>
          {signedPrice(change, last)} {percent(before ? change / before : null)}
        </span>
      )}
      {before != null && <span className="secondary">previous close {price(before)}</span>}
    </p>
  );
}
