import { useContext, useMemo, useSyncExternalStore } from "react";
import { type Price, useValues } from "../src/index.ts";
import { SightContext } from "./sight.ts";

/** Return the price of a row's symbol. A hidden row may lag behind by some frames. */
export function useRowPrice(symbol: string): Price | undefined {
  const values = useValues();
  const sight = useContext(SightContext);
  const source = useMemo(
    () => ({
      subscribe(listener: () => void) {
        const end = values.subscribe(`price:${symbol}`, () => sight.request(symbol, listener));
        return () => {
          end();
          sight.forget(listener);
        };
      },
      get: () => values.get(`price:${symbol}` as const),
    }),
    [values, sight, symbol],
  );
  return useSyncExternalStore(source.subscribe, source.get);
}
