import type { ReactNode } from "react";

interface ControlsProps {
  /** When the table was paused, RFC 3339; empty while it is not. */
  pausedAt: string;
  onPause: (at: string) => void;
  /** Seconds between two updates, 0 for every frame. */
  onPace: (seconds: number) => void;
  announcing: boolean;
  onAnnounce: (announcing: boolean) => void;
}

export function TableControls(props: ControlsProps): ReactNode {
  const { pausedAt, onPause, onPace, announcing, onAnnounce } = props;
  return (
    <>
      <button
        type="button"
        aria-pressed={!!pausedAt}
        onClick={() => onPause(pausedAt ? "" : new Date().toJSON())}
      >
        Pause
      </button>
      <select aria-label="Updates" onChange={(event) => onPace(+event.target.value)}>
        {[0, 1, 5].map((each) => (
          <option key={each} value={each}>
            {each ? `${each} s` : "live"}
          </option>
        ))}
      </select>
      <button type="button" aria-pressed={announcing} onClick={() => onAnnounce(!announcing)}>
        Announce P&L
      </button>
    </>
  );
}
