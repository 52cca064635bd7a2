import type { ReactNode } from "react";
import { useNow } from "./clock.ts";
import { duration } from "./duration.ts";
import { CHOICES, type Preferences } from "./preferences.ts";
import { SignOut } from "./sign-out.tsx";

export interface ControlsProps {
  preferences: Preferences;
  onPreferences: (preferences: Preferences) => void;
  /** When the page was paused, unix ms. */
  pausedAt: number | null;
  onPause: (at: number | null) => void;
}

const LABELS: { [Key in keyof Preferences]: [string, Record<Preferences[Key], string>] } = {
  pace: ["Updates", { 0: "Live", 1: "Every 1 s", 5: "Every 5 s" }],
  theme: ["Theme", { auto: "Auto", light: "Light", dark: "Dark" }],
  palette: ["Colours", { western: "Western", eastern: "Eastern", "colour-blind": "Colour-blind" }],
};

/** Pause, update rate, theme and colours of the page. */
export function Controls(props: ControlsProps): ReactNode {
  const { preferences, onPreferences, pausedAt, onPause } = props;
  return (
    <div className="controls">
      <button
        type="button"
        id="pause"
        aria-pressed={pausedAt !== null}
        onClick={() => onPause(pausedAt === null ? Date.now() : null)}
      >
        {pausedAt === null ? "Pause" : <Paused since={pausedAt} />}
      </button>
      {(Object.keys(LABELS) as (keyof Preferences)[]).map((key) => (
        <label key={key}>
          <span className="unseen">{LABELS[key][0]}</span>
          <select
            name={key}
            title={LABELS[key][0]}
            value={preferences[key]}
            onChange={({ target }) => {
              const choice = CHOICES[key].find((each) => `${each}` === target.value);
              onPreferences({ ...preferences, [key]: choice });
            }}
          >
            {Object.entries(LABELS[key][1]).map(([value, label]) => (
              <option key={value} value={value}>
                {label}
              </option>
            ))}
          </select>
        </label>
      ))}
      <SignOut />
    </div>
  );
}

function Paused({ since }: { since: number }): ReactNode {
  const now = useNow();
  return <>Paused · {duration(now - since)}</>;
}
