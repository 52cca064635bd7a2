import { type RefObject, useEffect, useRef, useState } from "react";
import { useValues, type Values } from "../src/index.ts";
import type { PriceChart } from "./price-chart.ts";
import type { PriceHistory } from "./price-history.ts";

/** The whole chart is painted again for each change. */
const DRAW_MS = 200;

/**
 * Draw the prices of a symbol into an element. `look` changes with the colours of the page.
 *
 * Return the message of the error that prevented the chart from loading, or null.
 */
export function usePriceChart(
  place: RefObject<HTMLElement | null>,
  symbol: string,
  history: PriceHistory,
  look: string,
): string | null {
  const [error, setError] = useState<string | null>(null);
  const chart = useRef<PriceChart | null>(null);
  const values = useValues();

  useEffect(() => {
    const element = place.current;
    if (element === null) return;
    let stop: (() => void) | undefined;
    let stopped = false;
    import("./price-chart.ts").then(
      ({ PriceChart }) => {
        if (stopped) return;
        setError(null);
        chart.current ??= new PriceChart(element);
        stop = follow(chart.current, symbol, history, values);
      },
      (reason: Error) => setError(reason.message),
    );
    return () => {
      stopped = true;
      stop?.();
    };
  }, [place, symbol, history, values]);
  useEffect(
    () => () => {
      chart.current?.close();
      chart.current = null;
    },
    [],
  );
  useRestyle(chart, look);
  return error;
}

/** Draw now and after each change, until the returned function is called. */
function follow(chart: PriceChart, symbol: string, history: PriceHistory, values: Values) {
  const topic: `price:${string}` = `price:${symbol}`;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const draw = () => {
    timer = undefined;
    chart.draw(symbol, history, values.get(topic)?.previous_close ?? null);
  };
  const end = values.subscribe(topic, () => {
    timer ??= setTimeout(draw, DRAW_MS);
  });
  draw();
  return () => {
    clearTimeout(timer);
    end();
  };
}

function useRestyle(chart: RefObject<PriceChart | null>, look: string) {
  useEffect(() => {
    const restyle = () => chart.current?.restyle();
    if (look) restyle();
    const dark = matchMedia("(prefers-color-scheme: dark)");
    dark.addEventListener("change", restyle);
    return () => dark.removeEventListener("change", restyle);
  }, [chart, look]);
}
