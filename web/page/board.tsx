import { type ReactNode, useCallback, useEffect, useState } from "react";
import {
  PositionsTable,
  type PositionsTableProps,
  useClient,
  useConnection,
  useWatch,
} from "../src/index.ts";
import { AddSymbols } from "./add-symbols.tsx";
import { symbolsOf, withSymbols } from "./address.ts";
import { ChartPanel } from "./chart-panel.tsx";
import { FeedPanel } from "./feed-panel.tsx";
import type { Preferences } from "./preferences.ts";
import { createPriceHistory, followPrices } from "./price-history.ts";
import type { StreamMeter } from "./stream-meter.ts";
import { Watchlist } from "./watchlist.tsx";

const ACCOUNT_TOPICS = ["position:*", "account"];

/** The panels: the watchlist, the chart of the selected symbol, the positions, the stream. */
export function Board(props: { meter: StreamMeter; preferences: Preferences }): ReactNode {
  const { meter, preferences } = props;
  const { theme, palette } = preferences;
  const client = useClient();
  const [asked] = useState(() => symbolsOf(location.search));
  const [symbols, setSymbols] = useState(asked.symbols);
  const [selected, select] = useState(symbols[0] ?? null);
  const [history] = useState(createPriceHistory);

  // Watch them even if positions are not shown: removing and adding them again would cost requests.
  useWatch(ACCOUNT_TOPICS);
  useEffect(() => followPrices(client, history), [client, history]);
  useEffect(() => {
    history.keep(selected === null ? symbols : [...symbols, selected]);
    const query = withSymbols(location.search, symbols);
    if (query !== location.search) window.history.replaceState(null, "", query);
  }, [history, symbols, selected]);

  const add = (more: readonly string[]) => {
    setSymbols([...new Set([...symbols, ...more])]);
    if (more[0] !== undefined) select(more[0]);
  };
  const remove = useCallback((symbol: string) => {
    setSymbols((before) => before.filter((each) => each !== symbol));
  }, []);
  return (
    <main className="board">
      <section className="panel watchlist" aria-labelledby="watchlist-title">
        <div className="panel-head">
          <h2 id="watchlist-title">Watchlist</h2>
          <AddSymbols bad={asked.bad} onAdd={add} />
        </div>
        <Watchlist symbols={symbols} selected={selected} onSelect={select} onRemove={remove} />
      </section>
      {selected !== null && (
        <ChartPanel symbol={selected} history={history} look={`${theme} ${palette}`} />
      )}
      <PositionsPanel selected={selected} onSelect={select} {...{ theme, palette }} />
      <FeedPanel meter={meter} />
    </main>
  );
}

/** The account's positions, if the token allows them. */
function PositionsPanel(props: PositionsTableProps): ReactNode {
  const { denied } = useConnection();
  if (denied.includes("position:*"))
    return <p className="panel denied">This token does not allow positions.</p>;
  return (
    <section className="panel positions" aria-label="Positions">
      <PositionsTable {...props} controls={false} />
    </section>
  );
}
