/** The props of the positions table. */

import type { Lot } from "../valuation.ts";

export interface PositionsTableProps {
  /** Your own lots, valued at the stream's prices. Defaults to the account's positions. */
  positions?: readonly Lot[] | undefined;
  /** Defaults to `Positions`. */
  caption?: string | undefined;
  /** A BCP 47 tag. Defaults to `en-US`: see `formats`. */
  locale?: string | undefined;
  /** An ISO 4217 code. Defaults to the account's currency. No amount is converted. */
  currency?: string | undefined;
  /** The colours of gain and loss: green and red, red and green, or blue and orange. */
  palette?: "western" | "eastern" | "colour-blind" | undefined;
  /** `auto` follows the browser's preference. Defaults to the surrounding `color-scheme`. */
  theme?: "light" | "dark" | "auto" | undefined;
  /** `false` removes the pause button; WCAG 2.2.2 then requires another way to pause. */
  controls?: boolean | undefined;
  /** The symbol of the marked row. */
  selected?: string | null | undefined;
  /** Called when a row is selected by a click, or by ↑ ↓ and Enter. */
  onSelect?: ((symbol: string) => void) | undefined;
}
