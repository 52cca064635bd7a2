/** The preferences for the look of the page, kept by the browser. */

/** `pace` is the seconds between two updates of the page, 0 for every frame. */
export interface Preferences {
  theme: "auto" | "light" | "dark";
  palette: "western" | "eastern" | "colour-blind";
  pace: 0 | 1 | 5;
}

const KEY = "tapecast-preferences";

export const CHOICES: { [Key in keyof Preferences]: readonly Preferences[Key][] } = {
  theme: ["auto", "light", "dark"],
  palette: ["western", "eastern", "colour-blind"],
  pace: [0, 1, 5],
};

/** Parse stored preferences. Each that is absent or unknown becomes its first choice. */
export function parsePreferences(text: string | null): Preferences {
  let stored: Partial<Record<keyof Preferences, unknown>> = {};
  try {
    stored = Object(JSON.parse(text ?? "{}"));
  } catch {} // malformed, for example by another program at this origin
  const chosen = <Key extends keyof Preferences>(key: Key): Preferences[Key] =>
    CHOICES[key].find((choice) => choice === stored[key]) ?? (CHOICES[key][0] as Preferences[Key]);
  return { theme: chosen("theme"), palette: chosen("palette"), pace: chosen("pace") };
}

export function loadPreferences(): Preferences {
  try {
    return parsePreferences(localStorage.getItem(KEY));
  } catch {
    return parsePreferences(null); // storage is not allowed
  }
}

export function savePreferences(preferences: Preferences): void {
  try {
    localStorage.setItem(KEY, JSON.stringify(preferences));
  } catch {}
}

/** Apply the preferences to the styles. */
export function applyPreferences({ theme, palette }: Preferences): void {
  const { dataset } = document.documentElement;
  dataset.theme = theme;
  dataset.palette = palette;
}
