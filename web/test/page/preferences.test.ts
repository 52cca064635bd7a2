import { expect, test } from "vitest";
import { parsePreferences } from "../../page/preferences.ts";

test("saved preferences are read, and unknown choices are ignored", () => {
  const start = { theme: "auto", palette: "western", pace: 0 };
  const dark = { theme: "dark", palette: "colour-blind", pace: 5 };
  expect(parsePreferences(JSON.stringify(dark))).toEqual(dark);
  expect(parsePreferences('{"theme":"neon","pace":1}')).toEqual({ ...start, pace: 1 });
  for (const text of [null, "", "null", "no json", "[]", "7"])
    expect(parsePreferences(text)).toEqual(start);
});
