import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { createMarketClient } from "../src/index.ts";
import { gatewayOf, intervalOf } from "./address.ts";
import { App } from "./app.tsx";
import { applyPreferences, loadPreferences } from "./preferences.ts";
import { readToken } from "./token.ts";
import "../src/styles.css";
import "./page.css";
import "./header.css";
import "./board.css";
import "./watchlist.css";

applyPreferences(loadPreferences());

const url: string = import.meta.env.VITE_TAPECAST_URL ?? gatewayOf(location.href);
const client = createMarketClient({
  url,
  token: readToken,
  interval: intervalOf(location.search),
});

const place = document.getElementById("page");
if (place !== null)
  createRoot(place).render(
    <StrictMode>
      <App client={client} gateway={url} />
    </StrictMode>,
  );
