import { type Context, createContext, type ReactNode, useContext } from "react";
import { createMarketClient, type MarketClient } from "../client.ts";
import type { Values } from "../values.ts";

/** Without a provider: a gateway at the page's own origin. */
const ClientContext: Context<MarketClient> = /* @__PURE__ */ createContext(
  /* @__PURE__ */ createMarketClient(),
);
export const ValuesContext: Context<Values | null> = /* @__PURE__ */ createContext<Values | null>(
  null,
);

/** Have all hooks below use a client. Whoever made it closes it; without watchers it is idle. */
export function MarketProvider(props: { client: MarketClient; children?: ReactNode }): ReactNode {
  return <ClientContext.Provider value={props.client}>{props.children}</ClientContext.Provider>;
}

/** Return the nearest client. */
export const useClient = (): MarketClient => useContext(ClientContext);

/** Return what is to be shown: the client's values, at the pace of the nearest `Paced`. */
export function useValues(): Values {
  const client = useClient();
  return useContext(ValuesContext) ?? client;
}
