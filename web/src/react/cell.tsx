import { type ReactNode, useEffect, useRef } from "react";
import { NONE } from "./format.ts";

/** Two flashes a second are fewer than those that can cause a seizure (WCAG 2.3.1). */
const LEAST_MS = 500;

/** A figure as shown. */
export interface FigureProps {
  /** "—" is read out as "no price". */
  text: string;
  /** The number itself: a flash has the colour of its direction. */
  value?: number | null | undefined;
  /** Show the sign of the text by colour, arrow and word, too. */
  signed?: boolean | undefined;
  /** Flash when the text changes. */
  flash?: boolean | undefined;
  title?: string | null | undefined;
}

/** A table cell with a number. */
export function NumberCell({ text, value, signed, flash, title }: FigureProps): ReactNode {
  const cell = useRef<HTMLTableCellElement>(null);
  const last = useRef<number | null>(null);
  const flashed = useRef(0);
  // A store's change is rendered in one go, effects and all, before the browser paints.
  // biome-ignore lint/correctness/useExhaustiveDependencies: a number that looks the same is none
  useEffect(() => {
    const before = last.current;
    const now = Date.now();
    last.current = value ?? null;
    if (!flash || before === null || value == null || value === before) return;
    if (now < flashed.current + LEAST_MS) return;
    flashed.current = now;
    const way = value < before ? "down" : "up";
    // Who wants no motion is given no colour by the style sheet.
    cell.current?.animate?.(
      { backgroundColor: [`var(--tapecast-flash-${way})`, "transparent"] },
      450,
    );
  }, [text]);
  const tone = signed
    ? /\+/.test(text)
      ? "up"
      : /[-−]/.test(text)
        ? "down"
        : undefined
    : undefined;
  return (
    <td ref={cell} data-tone={tone} title={title || undefined}>
      {tone && <span className="tapecast-hidden">{tone} </span>}
      {text}
      {text === NONE && <span className="tapecast-hidden"> no price</span>}
    </td>
  );
}
