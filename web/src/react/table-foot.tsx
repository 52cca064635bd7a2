import { type ReactNode, useEffect, useMemo, useRef, useState } from "react";
import type { Position, Price, SymbolStatus } from "../events.ts";
import { totals } from "../totals.ts";
import { figureCells } from "./columns.tsx";
import { type Entry, positionOf } from "./entry.ts";
import type { Formats } from "./format.ts";
import { useConnection } from "./hooks.ts";
import { useEach } from "./use-value.ts";

const SETTLE_MS = 2000;
const PRICES_MS = 20_000;

interface FootProps {
  entries: readonly Entry[];
  formats: Formats;
  /** Also announce the total at intervals. */
  announcing: boolean;
}

/**
 * The sums, and a hidden status for screen readers: the state of the connection, and the halted
 * symbols. The status follows with a delay, so that a brief interruption is not announced.
 */
export function TableFoot({ entries, formats, announcing }: FootProps): ReactNode {
  const values = useEach<Price | Position>(entries.map(({ topic }) => topic).join());
  // Several lots of a symbol have one status.
  const symbols = new Set(entries.map(({ symbol }) => symbol));
  const statuses = useEach<SymbolStatus>([...symbols].map((each) => `status:${each}`).join());
  const { label } = useConnection();
  const [said, say] = useState("");
  const sums = useMemo(() => {
    const found = Object.fromEntries(values.map((value) => [value.symbol, value]));
    return totals(entries.flatMap((entry) => positionOf(entry, found[entry.symbol]) ?? []));
  }, [entries, values]);
  const halted = statuses.filter(({ state }) => state === "halted");
  const news = [label, ...halted.map(({ symbol }) => `${symbol} halted`)].join(". ");
  const total = useRef("");
  useEffect(() => {
    const timer = setTimeout(say, SETTLE_MS, news);
    return () => clearTimeout(timer);
  }, [news]);
  useEffect(() => {
    total.current = `Unrealized P&L ${formats.signedMoney(sums.unrealized_pl)}`;
  });
  useEffect(() => {
    const timer = announcing ? setInterval(() => say(total.current), PRICES_MS) : undefined;
    return () => clearInterval(timer);
  }, [announcing]);
  return (
    <tfoot>
      <tr>
        <th scope="row">
          Total
          {sums.partial && <span>partial: excludes {sums.unpriced.join(", ")}</span>}
        </th>
        {figureCells(sums, formats)}
        <td>
          <p role="status" aria-live="polite" aria-atomic className="tapecast-hidden">
            {said}
          </p>
        </td>
      </tr>
    </tfoot>
  );
}
