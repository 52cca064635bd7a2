import { type Context, createContext, type ReactNode, useContext } from "react";
import { createMarketClient, type MarketClient } from "../client.ts";
import type { Values } from "../values.ts";

/** The client that hooks use outside a provider: of a gateway at the page's origin. */
const ClientContext: Context<MarketClient> = /* @__PURE__ */ createContext(
  /* @__PURE__ */ createMarketClient(),
);
export const ValuesContext: Context<Values | null> = /* @__PURE__ */ createContext<Values | null>(
  null,
);

/** Provide a client to all hooks below. Closing it is optional: an unwatched client is idle. */
export function MarketProvider(props: { client: MarketClient; children?: ReactNode }): ReactNode {
  return <ClientContext.Provider value={props.client}>{props.children}</ClientContext.Provider>;
}

/** Return the client of the nearest provider. */
export const useClient = (): MarketClient => useContext(ClientContext);

/** Return the client's values, at the pace of the nearest `Paced`. */
export function useValues(): Values {
  const client = useClient();
  return useContext(ValuesContext) ?? client;
}
