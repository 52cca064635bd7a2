import { createMarketClient, MarketProvider, StreamError } from "@tapecast/react";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { App } from "./app.tsx";
import "@tapecast/react/styles.css";

const client = createMarketClient({
  url: import.meta.env.VITE_TAPECAST_URL,
  async ticket(topics, signal) {
    const body = JSON.stringify({ topics });
    const answer = await fetch("/api/ticket", { method: "POST", body, signal });
    if (!answer.ok)
      throw new StreamError("unavailable", `/api/ticket answered ${answer.status}: see its log`);
    return (await answer.json()).ticket;
  },
});

const place = document.getElementById("app");
if (place !== null)
  createRoot(place).render(
    <StrictMode>
      <MarketProvider client={client}>
        <App />
      </MarketProvider>
    </StrictMode>,
  );
