import { type ReactNode, useEffect, useState } from "react";
import { type MarketClient, MarketProvider, Paced } from "../src/index.ts";
import { Board } from "./board.tsx";
import { FrozenClock } from "./frozen-clock.tsx";
import { Header } from "./header.tsx";
import {
  applyPreferences,
  loadPreferences,
  type Preferences,
  savePreferences,
} from "./preferences.ts";
import { SignIn } from "./sign-in.tsx";
import { StreamMeter } from "./stream-meter.ts";

interface AppProps {
  client: MarketClient;
  /** The gateway's base URL. */
  gateway: string;
}

/** The whole page. */
export function App({ client, gateway }: AppProps): ReactNode {
  const [preferences, setPreferences] = useState(loadPreferences);
  const [pausedAt, setPausedAt] = useState<number | null>(null);
  const [meter] = useState(() => new StreamMeter(gateway));
  useEffect(() => meter.follow(client), [meter, client]);
  const prefer = (chosen: Preferences) => {
    // Before rendering, because the chart reads its colours from the styles.
    applyPreferences(chosen);
    savePreferences(chosen);
    setPreferences(chosen);
  };
  return (
    <MarketProvider client={client}>
      <Header
        preferences={preferences}
        onPreferences={prefer}
        pausedAt={pausedAt}
        onPause={setPausedAt}
      />
      <SignIn />
      <Paced pace={pausedAt === null ? preferences.pace : "paused"}>
        <FrozenClock at={pausedAt}>
          <Board meter={meter} preferences={preferences} />
        </FrozenClock>
      </Paced>
    </MarketProvider>
  );
}
