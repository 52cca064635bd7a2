import { expect, test } from "vitest";
import { parsePreferences } from "../../page/preferences.ts";

test("preferences that were saved are read, and what nobody can choose is not", () => {
  const start = { theme: "auto", palette: "western", pace: 0 };
  const dark = { theme: "dark", palette: "colour-blind", pace: 5 };
  expect(parsePreferences(JSON.stringify(dark))).toEqual(dark);
  expect(parsePreferences('{"theme":"neon","pace":1}')).toEqual({ ...start, pace: 1 });
  for (const text of [null, "", "null", "no json", "[]", "7"])
    expect(parsePreferences(text)).toEqual(start);
});
