import { type ReactNode, useRef, useState } from "react";
import { useAges } from "./ages.ts";
import { useClient } from "./context.tsx";
import { useConnection } from "./hooks.ts";
import { Paced } from "./paced.tsx";
import { TableBoard } from "./table-board.tsx";
import { TableControls } from "./table-controls.tsx";
import type { PositionsTableProps } from "./table-props.ts";
import { useValue } from "./use-value.ts";

const DENIED = "the token does not allow positions";

/** The open positions with their profit and loss, live. It needs `styles.css`. */
export function PositionsTable(props: PositionsTableProps): ReactNode {
  const { controls = true, palette, theme, positions } = props;
  const account = useValue("account");
  const { state, label, detail, error, denied } = useConnection();
  const reason = positions ? null : denied.includes("position:*") ? DENIED : account?.reason;
  const [seconds, setSeconds] = useState(0);
  const [pausedAt, setPausedAt] = useState("");
  const [announcing, setAnnouncing] = useState(false);
  const root = useRef<HTMLDivElement>(null);
  // While the table is paused, only the age of the pause grows.
  useAges(root, pausedAt ? "span > time" : "time", pausedAt ? 1 : Math.max(1, seconds));
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
        <Problem words={detail ?? reason} />
        {controls && (
          <TableControls
            pausedAt={pausedAt}
            onPause={setPausedAt}
            onPace={setSeconds}
            announcing={announcing}
            onAnnounce={setAnnouncing}
          />
        )}
      </div>
      <Paced pace={pausedAt ? "paused" : seconds}>
        <TableBoard {...props} announcing={announcing} unknown={error ?? reason} />
      </Paced>
    </div>
  );
}

function Problem({ words }: { words: ReactNode }): ReactNode {
  const client = useClient();
  const { state, error } = useConnection();
  return (
    words && (
      <p role={state === "sign-in" ? "alert" : undefined}>
        {words}
        {error && (
          <button type="button" onClick={client.reconnect}>
            Retry
          </button>
        )}
      </p>
    )
  );
}
