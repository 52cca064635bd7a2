import { type ReactNode, useRef, useState } from "react";
import type { Lot } from "../valuation.ts";
import { useAges } from "./ages.ts";
import { useClient } from "./context.tsx";
import { useConnection } from "./hooks.ts";
import { Paced } from "./paced.tsx";
import { TableBoard } from "./table-board.tsx";
import { useValue } from "./use-value.ts";

/** What the table shows, and how. */
export interface PositionsTableProps {
  /** Lots of one's own, one of a symbol, valued at the stream's prices; the account's without. */
  positions?: readonly Lot[] | undefined;
  caption?: string | undefined;
  /** A BCP 47 tag; en-US without: see `formats`. */
  locale?: string | undefined;
  /** An ISO 4217 code; the account's without. Nothing is converted. */
  currency?: string | undefined;
  /** Which colours rise and fall: green and red, red and green, blue and orange. */
  palette?: "western" | "eastern" | "colour-blind" | undefined;
  /** `auto`: what the browser prefers; without, the `color-scheme` of what the table stands on. */
  theme?: "light" | "dark" | "auto" | undefined;
  /** Without them nobody can pause the table: WCAG 2.2.2 then wants another way. */
  controls?: boolean | undefined;
  /** The symbol of the row that is marked. */
  selected?: string | null | undefined;
  /** Have rows selected by a click, or by ↑ ↓ and Enter. */
  onSelect?: ((symbol: string) => void) | undefined;
}

/** The open positions with their profit and loss, live. Its looks are in `styles.css`. */
export function PositionsTable(props: PositionsTableProps): ReactNode {
  const { controls = true, palette, theme, positions } = props;
  const client = useClient();
  const account = useValue("account");
  const { state, label, detail, error, denied } = useConnection();
  const refused = denied.includes("position:*") && "the token does not allow positions";
  const reason = positions ? null : refused || account?.reason;
  const words = detail ?? reason;
  const [seconds, setSeconds] = useState(0);
  const [pausedAt, setPausedAt] = useState("");
  const [announcing, setAnnouncing] = useState(false);
  const root = useRef<HTMLDivElement>(null);
  useAges(root, pausedAt ? "span > time" : "time", (!pausedAt && seconds) || 1);
  return (
    <div
      ref={root}
      className="tapecast-positions"
      data-state={state}
      data-palette={palette}
      data-theme={theme}
    >
      <div>
        <span className="tapecast-badge" data-state={state}>
          {label}
        </span>
        {pausedAt && (
          <span className="tapecast-badge" data-state="paused">
            Paused · <time dateTime={pausedAt} />
          </span>
        )}
        {words && (
          <p role={state === "sign-in" ? "alert" : undefined}>
            {words}
            {error && (
              <button type="button" onClick={client.reconnect}>
                Retry
              </button>
            )}
          </p>
        )}
        {controls && (
          <>
            <button
              type="button"
              aria-pressed={!!pausedAt}
              onClick={() => setPausedAt(pausedAt ? "" : new Date().toJSON())}
            >
              Pause
            </button>
            <select aria-label="Updates" onChange={(event) => setSeconds(+event.target.value)}>
              {[0, 1, 5].map((each) => (
                <option key={each} value={each}>
                  {each ? `${each} s` : "live"}
                </option>
              ))}
            </select>
            <button
              type="button"
              aria-pressed={announcing}
              onClick={() => setAnnouncing(!announcing)}
            >
              Announce P&L
            </button>
          </>
        )}
      </div>
      <Paced pace={pausedAt ? "paused" : seconds}>
        <TableBoard {...props} announcing={announcing} unknown={error ?? reason} />
      </Paced>
    </div>
  );
}
