/** Other topics for a stream that runs. */

import type { MarketClientOptions } from "./client.ts";
import { ticketFor } from "./ticket.ts";

const CHANGE_MS = 10_000;

/** Tell whether the gateway has made the change; where it has not, another stream is opened. */
export async function changeTopics(
  options: MarketClientOptions,
  streamId: string,
  add: string[],
  remove: string[],
): Promise<boolean> {
  const signal = AbortSignal.timeout(CHANGE_MS);
  const ticket = await ticketFor(options, add.length > 0 ? add : remove, signal);
  const query = ticket ? `?${new URLSearchParams({ ticket })}` : "";
  const answer = await (options.fetch ?? fetch)(
    `${options.url ?? ""}/api/stream/${streamId}${query}`,
    {
      method: "PATCH",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({
        add,
        remove,
        interval: options.interval,
      }),
      signal,
    },
  );
  return answer.ok;
}
