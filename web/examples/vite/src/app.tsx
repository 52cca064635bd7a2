import { ConnectionBadge, PositionsTable, useMarketStream } from "@tapecast/react";
import type { ReactNode } from "react";

const SYMBOLS = ["SPY", "IBM"];

export function App(): ReactNode {
  const { prices, status } = useMarketStream(SYMBOLS);
  return (
    <main>
      <p>
        <ConnectionBadge indicator={status} />
      </p>
      <ul>
        {SYMBOLS.map((symbol) => (
          <li key={symbol}>
            {symbol} {prices[symbol]?.price ?? "—"}
          </li>
        ))}
      </ul>
      <PositionsTable />
    </main>
  );
}
