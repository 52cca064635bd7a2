import { type RefObject, useEffect, useRef } from "react";

const FLASH_MS = 450;
/** Two flashes a second are fewer than those that can cause a seizure (WCAG 2.3.1). */
const LEAST_MS = 500;

const calm =
  typeof matchMedia === "undefined" ? null : matchMedia("(prefers-reduced-motion: reduce)");

/** Tint an element for a moment when the text that is shown changes, by where the value went. */
export function useFlash(
  element: RefObject<HTMLElement | null>,
  text: string,
  value: number | null,
): void {
  const last = useRef({ text, value, at: 0 });
  useEffect(() => {
    const before = last.current;
    if (text === before.text) return;
    const now = performance.now();
    const shows = before.value !== null && value !== null && now - before.at >= LEAST_MS;
    last.current = { text, value, at: shows ? now : before.at };
    if (!shows || calm?.matches) return;
    const backgroundColor = `var(--tapecast-flash-${value > (before.value ?? 0) ? "up" : "down"})`;
    element.current?.animate([{ backgroundColor }, { backgroundColor: "transparent" }], FLASH_MS);
  }, [element, text, value]);
}
