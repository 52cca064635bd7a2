import { type ReactNode, useEffect, useRef } from "react";
import { NONE } from "./format.ts";

/** At most two flashes a second: more than three can cause a seizure (WCAG 2.3.1). */
const FLASH_INTERVAL_MS = 500;

/** A figure and its appearance. */
export interface FigureProps {
  /** Screen readers read "—" as "no price". */
  text: string;
  /** The number itself, which gives a flash the colour of its direction. */
  value?: number | null | undefined;
  /** Also show the sign of the text by colour, arrow and word. */
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
  // biome-ignore lint/correctness/useExhaustiveDependencies: only a visible change flashes
  useEffect(() => {
    const before = last.current;
    const now = Date.now();
    last.current = value ?? null;
    if (!flash || before === null || value == null || value === before) return;
    if (now < flashed.current + FLASH_INTERVAL_MS) return;
    flashed.current = now;
    const way = value < before ? "down" : "up";
    // The style sheet removes the colour for people who prefer reduced motion.
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
