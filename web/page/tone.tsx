import type { ReactNode } from "react";

type Figure = number | null | undefined;

export const toneOf = (value: Figure): "up" | "down" | undefined =>
  value ? (value > 0 ? "up" : "down") : undefined;

/** The direction of a figure for those who see no colour; its sign says it to all others. */
export function ToneArrow({ value }: { value: Figure }): ReactNode {
  const tone = toneOf(value);
  return tone && <span aria-hidden="true">{tone === "up" ? "▲ " : "▼ "}</span>;
}
