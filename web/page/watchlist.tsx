// biome-ignore-all lint/a11y/noRedundantRoles: the rows are laid out as boxes, which have no role

import {
  type CSSProperties,
  type KeyboardEvent,
  type MouseEvent,
  type ReactNode,
  type RefObject,
  useContext,
  useEffect,
  useMemo,
  useRef,
} from "react";
import { isSymbol, useConnection, useWatch } from "../src/index.ts";
import { SightContext } from "./sight.ts";
import { WatchlistRow } from "./watchlist-row.tsx";

const COLUMNS = ["Symbol", "Price", "Change", "Size", "Exch", "Age"];
const STEPS: Record<string, number> = {
  ArrowUp: -1,
  ArrowDown: 1,
  Home: Number.NEGATIVE_INFINITY,
  End: Number.POSITIVE_INFINITY,
};

interface WatchlistProps {
  symbols: readonly string[];
  selected: string | null;
  onSelect: (symbol: string) => void;
  onRemove: (symbol: string) => void;
}

/** Last prices. The list renders when its symbols change; a new price renders only its row. */
export function Watchlist(props: WatchlistProps): ReactNode {
  const { symbols, selected } = props;
  const { state, invented } = useConnection();
  const sight = useContext(SightContext);
  const body = useRef<HTMLTableSectionElement>(null);
  useEffect(() => (body.current ? sight.follow(body.current) : undefined), [sight]);
  useWatched(symbols, selected);
  const reached = selected !== null && symbols.includes(selected) ? selected : symbols[0];
  // Rows are separate boxes outside the table's layout, so that they need explicit roles.
  return (
    <div className="watchlist-scroll" style={{ "--rows": symbols.length } as CSSProperties}>
      <table role="table" aria-label="Last prices" className="prices" data-state={state}>
        <Head />
        <tbody id="prices" ref={body} role="rowgroup" {...steering(props, body)}>
          {symbols.map((symbol) => (
            <WatchlistRow
              key={symbol}
              symbol={symbol}
              invented={invented.includes(symbol)}
              selected={symbol === selected}
              reached={symbol === reached}
            />
          ))}
        </tbody>
      </table>
      {symbols.length === 0 && <p className="empty">No symbols: add some above.</p>}
    </div>
  );
}

function Head(): ReactNode {
  return (
    <thead role="rowgroup">
      <tr role="row">
        {COLUMNS.map((name) => (
          <th key={name} role="columnheader" scope="col">
            {name}
          </th>
        ))}
        <th role="columnheader" scope="col">
          <span className="unseen">Remove</span>
        </th>
      </tr>
    </thead>
  );
}

/** Return the handlers of clicks and keys on rows. */
function steering(
  { symbols, selected, onSelect, onRemove }: WatchlistProps,
  body: RefObject<HTMLElement | null>,
) {
  const focus = (symbol: string) =>
    body.current
      ?.querySelector<HTMLElement>(`[data-symbol="${symbol}"] [data-field="symbol"]`)
      ?.focus();
  const remove = (symbol: string) => {
    const at = symbols.indexOf(symbol);
    const next = symbols[at + 1] ?? symbols[at - 1];
    onRemove(symbol);
    if (next === undefined) return;
    if (symbol === selected) onSelect(next);
    focus(next);
  };
  return {
    onClick({ target }: MouseEvent) {
      const { symbol, button } = hit(target);
      if (symbol === undefined) return;
      if (button?.name === "remove") remove(symbol);
      else onSelect(symbol);
    },
    onKeyDown(event: KeyboardEvent) {
      const { symbol } = hit(event.target);
      const step = STEPS[event.key];
      if (symbol === undefined) return;
      if (event.key === "Delete") remove(symbol);
      if (step === undefined) return;
      event.preventDefault();
      const at = Math.max(0, symbols.indexOf(symbol) + step);
      const next = symbols[Math.min(symbols.length - 1, at)] ?? symbol;
      onSelect(next);
      focus(next);
    },
  };
}

function useWatched(symbols: readonly string[], selected: string | null): void {
  const topics = useMemo(() => {
    const all = new Set(selected !== null && isSymbol(selected) ? [...symbols, selected] : symbols);
    return [...all].flatMap((symbol) => [`price:${symbol}`, `status:${symbol}`]);
  }, [symbols, selected]);
  useWatch(topics);
}

function hit(target: EventTarget) {
  const element = target as Element;
  return {
    symbol: element.closest<HTMLElement>("tr")?.dataset.symbol,
    button: element.closest("button"),
  };
}
