/** The table on a `PlayedClient`, and the parts of it that tests look at. */

import { act, render, screen } from "@testing-library/react";
import { StrictMode } from "react";
import { vi } from "vitest";
import { MarketProvider, PositionsTable, type PositionsTableProps } from "../src/index.ts";
import { PlayedClient } from "./played-client.ts";

export const tree = (client: PlayedClient, props: PositionsTableProps = {}) => (
  <StrictMode>
    <MarketProvider client={client}>
      <PositionsTable {...props} />
    </MarketProvider>
  </StrictMode>
);

export function show(values: Record<string, unknown> = {}, props: PositionsTableProps = {}) {
  const client = new PlayedClient();
  client.play(values);
  const view = render(tree(client, props));
  return {
    ...view,
    client,
    play: (more: Record<string, unknown>) => act(() => client.play(more)),
    change: (other: PositionsTableProps) => view.rerender(tree(client, other)),
  };
}

export const after = (ms: number) => act(() => vi.advanceTimersByTimeAsync(ms));

const table = () => screen.getByRole("table");
export const rows = () => [...table().querySelectorAll<HTMLElement>("tbody tr")];
export const symbols = () => rows().map((row) => row.dataset.symbol);
export const rowOf = (symbol: string) =>
  rows().find((row) => row.dataset.symbol === symbol) as HTMLElement;
/** Return the texts of a row's cells as they are read out. */
export const cells = (row: HTMLElement) =>
  [...row.querySelectorAll("td")].map((cell) => cell.textContent);
export const foot = () => table().querySelector("tfoot tr") as HTMLElement;
export const tags = (row: HTMLElement) =>
  [...row.querySelectorAll<HTMLElement>("th span")].map((tag) => tag.textContent);
export const header = (name: string) => screen.getByRole("columnheader", { name });
export const press = (name: string) => act(() => screen.getByRole("button", { name }).click());
