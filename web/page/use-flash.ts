import { type RefObject, useContext, useEffect, useRef } from "react";
import { SightContext } from "./sight.ts";

const FLASH_MS = 350;
/** At most two flashes a second: more than three can cause a seizure (WCAG 2.3.1). */
const FLASH_INTERVAL_MS = 500;

/**
 * Mark an element briefly when its text changes, by the direction of the value.
 *
 * A mark costs two style changes; an animation of each price would cost every frame.
 */
export function useFlash(
  element: RefObject<HTMLElement | null>,
  symbol: string,
  text: string,
  value: number | null,
): void {
  const sight = useContext(SightContext);
  const last = useRef({ text, value, at: 0 });
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  useEffect(() => {
    const before = last.current;
    const cell = element.current;
    if (text === before.text || cell === null) return;
    const now = performance.now();
    const known = before.value !== null && value !== null;
    const shows = known && now - before.at >= FLASH_INTERVAL_MS && sight.sees(symbol);
    last.current = { text, value, at: shows ? now : before.at };
    if (!shows) return;
    clearTimeout(timer.current);
    cell.dataset.flash = value > (before.value ?? 0) ? "up" : "down";
    timer.current = setTimeout(() => {
      delete cell.dataset.flash;
    }, FLASH_MS);
  }, [element, sight, symbol, text, value]);
  useEffect(() => () => clearTimeout(timer.current), []);
}
