/** The ticket that lets one EventSource in, since it cannot send headers. */

import type { MarketClientOptions } from "./client.ts";
import { StreamError } from "./connection-state.ts";

/** Return how an answer that is no success is to be taken. */
export async function refusal(answer: Response): Promise<StreamError> {
  const { status } = answer;
  const told = await answer.json().catch(() => null);
  const code =
    status === 401 || status === 403
      ? "sign-in"
      : status === 429
        ? "limit"
        : status >= 500 || status === 408
          ? "unavailable"
          : "refused";
  const { message = `${answer.url} answered ${status}: is that a gateway?`, hint } =
    told?.error ?? {};
  const retry = Number(answer.headers.get("retry-after"));
  return new StreamError(code, hint ? `${message} (${hint})` : message, retry * 1000 || undefined);
}

/** Return a ticket for topics; undefined where a stream opens without: no token, and Redis away. */
export async function ticketFor(
  options: MarketClientOptions,
  topics: string[],
  signal: AbortSignal,
): Promise<string | undefined> {
  if (options.ticket) return options.ticket(topics, signal);
  const token = typeof options.token === "function" ? options.token() : options.token;
  const answer = await (options.fetch ?? fetch)(`${options.url ?? ""}/api/stream/ticket`, {
    method: "POST",
    headers: {
      "Content-Type": "application/json",
      ...(token && { Authorization: `Bearer ${token}` }),
    },
    body: JSON.stringify({ topics }),
    signal,
  });
  if (answer.ok) return (await answer.json()).ticket;
  const error = await refusal(answer);
  if (error.code === "unavailable" && !token) return undefined;
  throw error;
}
