import { type ReactNode, useEffect, useRef, useState } from "react";
import { isStock, type Position, type Price, useValue, useValues } from "../src/index.ts";
import { figures } from "./figures.ts";
import type { PriceChart } from "./price-chart.ts";
import type { PriceHistory } from "./price-history.ts";
import { toneOf } from "./tone.ts";

/** A whole chart is painted anew for each change. */
const DRAW_MS = 200;

interface ChartPanelProps {
  symbol: string;
  history: PriceHistory;
  /** Changes with the colours of the page. */
  look: string;
}

type Told = Price | Position | undefined;

/** The topic that brings the prices of a symbol: of pairs and options only positions do. */
const topicOf = (symbol: string) => `${isStock(symbol) ? "price" : "position"}:${symbol}`;

const lastPrice = (told: Told) => (told && "price" in told ? told.price : told?.current_price);
const closeBefore = (told: Told) =>
  told && "price" in told ? told.previous_close : told?.lastday_price;

/** The prices of a symbol since the page watches it. */
export function ChartPanel({ symbol, history, look }: ChartPanelProps): ReactNode {
  const [broken, setBroken] = useState<string | null>(null);
  const place = useRef<HTMLDivElement>(null);
  const drawn = useRef<PriceChart | null>(null);
  const values = useValues();

  useEffect(() => {
    const element = place.current;
    if (element === null) return;
    let stopped = false;
    let unfollow: (() => void) | undefined;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const topic = topicOf(symbol);
    import("./price-chart.ts").then(
      ({ createPriceChart }) => {
        if (stopped) return;
        setBroken(null);
        drawn.current ??= createPriceChart(element);
        const chart = drawn.current;
        const draw = () => {
          const told = values.get(topic) as Told;
          chart.draw(symbol, history, closeBefore(told) ?? null);
        };
        const end = values.subscribe(topic, () => {
          timer ??= setTimeout(() => {
            timer = undefined;
            draw();
          }, DRAW_MS);
        });
        unfollow = () => {
          clearTimeout(timer);
          end();
        };
        draw();
      },
      (error: Error) => setBroken(error.message),
    );
    return () => {
      stopped = true;
      unfollow?.();
    };
  }, [symbol, history, values]);
  useEffect(
    () => () => {
      drawn.current?.close();
      drawn.current = null;
    },
    [],
  );
  useEffect(() => {
    if (look) drawn.current?.restyle();
    const dark = matchMedia("(prefers-color-scheme: dark)");
    const restyle = () => drawn.current?.restyle();
    dark.addEventListener("change", restyle);
    return () => dark.removeEventListener("change", restyle);
  }, [look]);

  return (
    <section className="panel chart" aria-labelledby="chart-title">
      <div className="panel-head">
        <h2 id="chart-title">{symbol}</h2>
        <ChartFigures symbol={symbol} />
      </div>
      <div className="chart-place" ref={place} role="img" aria-label={`Prices of ${symbol}`} />
      <p className="chart-foot">
        {broken && <span className="problem">The chart could not be loaded: {broken}. </span>}
        New York time ·{" "}
        <a href="https://www.tradingview.com/" rel="noopener noreferrer" target="_blank">
          TradingView Lightweight Charts™
        </a>{" "}
        Copyright (с) 2025 TradingView, Inc. · <a href="/licenses.txt">Licences</a>
      </p>
    </section>
  );
}

function ChartFigures({ symbol }: { symbol: string }): ReactNode {
  const told = useValue(topicOf(symbol)) as Told;
  const { price, signedPrice, percent } = figures();
  const last = lastPrice(told);
  const before = closeBefore(told);
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
