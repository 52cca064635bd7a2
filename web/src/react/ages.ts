/** The ages of values on the screen. */

import { type RefObject, useEffect } from "react";
import { useValues } from "./context.tsx";
import { age } from "./format.ts";

/**
 * Write its age into each `<time>` below an element, every number of seconds, without rendering.
 * `which` is a selector of the elements. One timer writes all of them. It stops while the page is
 * hidden, and writes nothing while the surrounding `Paced` is paused.
 */
export function useAges(root: RefObject<Element | null>, which: string, seconds: number): void {
  const values = useValues();
  useEffect(() => {
    let timer: ReturnType<typeof setInterval>;
    const write = () => {
      if (values.paused) return;
      for (const each of root.current?.querySelectorAll<HTMLTimeElement>(which) ?? [])
        each.textContent = age(Date.now() - Date.parse(each.dateTime));
    };
    const turn = () => {
      clearInterval(timer);
      if (document.hidden) return;
      write();
      timer = setInterval(write, seconds * 1000);
    };
    turn();
    document.addEventListener("visibilitychange", turn);
    return () => {
      clearInterval(timer);
      document.removeEventListener("visibilitychange", turn);
    };
  }, [root, which, seconds, values]);
}
