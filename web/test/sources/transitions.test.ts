import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { ALWAYS, type State, TRANSITIONS } from "../../src/transitions.ts";

const STATES = Object.keys(TRANSITIONS) as State[];

describe("the table of transitions", () => {
  it("reaches each state from idle", () => {
    const reached = new Set<State>(["idle"]);
    for (const state of reached)
      for (const next of Object.values({ ...ALWAYS, ...TRANSITIONS[state] })) reached.add(next);
    expect([...reached].toSorted()).toEqual(STATES.toSorted());
  });

  it("leads from each state back to idle, and out of it", () => {
    expect(ALWAYS.none).toBe("idle");
    for (const state of STATES) {
      expect(TRANSITIONS[state]).not.toHaveProperty("none");
      expect(Object.keys(TRANSITIONS[state])).not.toHaveLength(0);
    }
  });

  it("is the table in the README", () => {
    const transitions = (row: object) =>
      Object.entries(row)
        .map(([event, next]) => `\`${event}\` → \`${next}\``)
        .join(", ");
    const expected = [
      ...STATES.map((state) => [`\`${state}\``, transitions(TRANSITIONS[state])]),
      ["any", transitions(ALWAYS)],
    ];
    const section = readFileSync("README.md", "utf8").split("### States of the stream")[1] ?? "";
    const rows = [...section.matchAll(/^\| (`\w+`|any)\s*\|[^|]*\| (.*?)\s*\|$/gm)];
    expect(rows.map(([, state, row]) => [state, row])).toEqual(expected);
  });
});
