/** The columns of the table between symbol and age. */

import type { ReactNode } from "react";
import type { Valued } from "../valuation.ts";
import { NumberCell } from "./cell.tsx";
import { type Formats, NONE } from "./format.ts";

/** A position, or a sum, which has only some of the figures. */
export type Figures = Partial<Valued>;
type Written = [write: keyof Formats, value: (of: Figures) => number | null | undefined];

/** Each column's label, the figure that it sorts by, and a figure in brackets if it is signed. */
export const COLUMNS: readonly [label: string, ...Written, ...(Written | [])][] = [
  ["Quantity", "quantity", (of) => of.qty],
  ["Average cost", "price", (of) => of.avg_entry_price],
  ["Last price", "price", (of) => of.current_price],
  [
    "Day change",
    "percent",
    (of) => of.change_today,
    "signedPrice",
    (of) => of.current_price && of.lastday_price && of.current_price - of.lastday_price,
  ],
  ["Market value", "money", (of) => of.market_value],
  [
    "Day P&L",
    "signedMoney",
    (of) => of.unrealized_intraday_pl,
    "percent",
    (of) => of.unrealized_intraday_plpc,
  ],
  [
    "Unrealized P&L",
    "signedMoney",
    (of) => of.unrealized_pl,
    "percent",
    (of) => of.unrealized_plpc,
  ],
];

/** Return the cells of one row. A figure that a sum does not have stays empty. */
export const figureCells = (of: Figures, formats: Formats): ReactNode[] =>
  COLUMNS.map(([label, write, value, write2, value2]) => {
    const like = of.current_price;
    const shown = value(of);
    const text = shown === undefined ? "" : formats[write](shown, like);
    const beside = value2?.(of);
    return (
      <NumberCell
        key={label}
        text={write2 && beside != null ? `${text} (${formats[write2](beside, like)})` : text}
        value={shown}
        signed={!!write2}
        // The other figures follow from the price, and each flash costs frames.
        flash={label === "Last price"}
        title={text === NONE ? of.reason : null}
      />
    );
  });
