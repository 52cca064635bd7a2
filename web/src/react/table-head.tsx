import type { ReactNode } from "react";
import { COLUMNS } from "./columns.tsx";

const LABELS = ["Symbol", .../* @__PURE__ */ COLUMNS.map(([label]) => label), "Age"];

interface HeadProps {
  /** The number of the sorted column, from 1; negative for descending, 0 for none. */
  order: number;
  onOrder: (order: number) => void;
}

export function TableHead({ order, onOrder }: HeadProps): ReactNode {
  return (
    <thead>
      <tr>
        {LABELS.map((label, at) => {
          const column = at + 1;
          // The first press sorts symbols from A, figures from the largest.
          const first = at ? -column : column;
          const sort = { [column]: "ascending", [-column]: "descending" } as const;
          return (
            <th key={label} scope="col" aria-sort={sort[order]}>
              <button
                type="button"
                onClick={() => onOrder(Math.abs(order) === column ? -order : first)}
              >
                {label}
              </button>
            </th>
          );
        })}
      </tr>
    </thead>
  );
}
