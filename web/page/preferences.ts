/** How somebody wants the page to look; kept by the browser. */

/** `pace`: seconds between two changes of what is shown, 0 for every frame. */
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

/** Return what a text says, and the first choice where it says nothing that can be chosen. */
export function parsePreferences(text: string | null): Preferences {
  let told: Partial<Record<keyof Preferences, unknown>> = {};
  try {
    told = Object(JSON.parse(text ?? "{}"));
  } catch {} // written by somebody else
  const chosen = <Key extends keyof Preferences>(key: Key): Preferences[Key] =>
    CHOICES[key].find((choice) => choice === told[key]) ?? (CHOICES[key][0] as Preferences[Key]);
  return { theme: chosen("theme"), palette: chosen("palette"), pace: chosen("pace") };
}

export function loadPreferences(): Preferences {
  try {
    return parsePreferences(localStorage.getItem(KEY));
  } catch {
    return parsePreferences(null); // storage is not allowed here
  }
}

export function savePreferences(preferences: Preferences): void {
  try {
    localStorage.setItem(KEY, JSON.stringify(preferences));
  } catch {}
}

/** Have the styles follow. */
export function applyPreferences({ theme, palette }: Preferences): void {
  const { dataset } = document.documentElement;
  dataset.theme = theme;
  dataset.palette = palette;
}
