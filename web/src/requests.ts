/** The requests to a gateway beside its stream. */

import { StreamError } from "./connection-state.ts";
import type { MarketClientOptions } from "./options.ts";

const CHANGE_MS = 10_000;

function ask(
  { url = "", fetch: send = fetch }: MarketClientOptions,
  path: string,
  method: string,
  body: object,
  signal: AbortSignal,
  token?: string | null,
): Promise<Response> {
  return send(`${url}/api/stream/${path}`, {
    method,
    headers: {
      "Content-Type": "application/json",
      ...(token && { Authorization: `Bearer ${token}` }),
    },
    body: JSON.stringify(body),
    signal,
  });
}

/**
 * Return a ticket for one EventSource, which cannot send headers. Return undefined if the gateway
 * accepts the stream without one: there is no token, and Redis, which keeps tickets, is unreachable.
 */
export async function ticketFor(
  options: MarketClientOptions,
  topics: string[],
  signal: AbortSignal,
): Promise<string | undefined> {
  if (options.ticket) return options.ticket(topics, signal);
  const token = typeof options.token === "function" ? options.token() : options.token;
  const answer = await ask(options, "ticket", "POST", { topics }, signal, token);
  const { status } = answer;
  const content = await answer.json().catch(() => null);
  if (answer.ok) return content.ticket;
  if (status === 503 && !token) return undefined;
  throw new StreamError(
    status === 401 || status === 403
      ? "sign-in"
      : status === 429
        ? "limit"
        : status < 500
          ? "refused"
          : "unavailable",
    content?.error?.message ?? `the gateway answers ${status}`,
    1000 * Number(answer.headers.get("retry-after")) || undefined,
  );
}

/**
 * Add and remove topics of a stream. Return undefined if the gateway has not done so, otherwise the
 * symbols, among those that the ticket is for, whose data a simulator invents.
 */
export async function changeTopics(
  options: MarketClientOptions,
  streamId: string,
  add: string[],
  remove: string[],
): Promise<string[] | undefined> {
  const signal = AbortSignal.timeout(CHANGE_MS);
  const ticket = await ticketFor(options, [...add, ...remove], signal);
  const body = { add, remove, interval: options.interval };
  const query = ticket ? `?ticket=${ticket}` : "";
  const answer = await ask(options, streamId + query, "PATCH", body, signal);
  // A gateway of an older version does not name them.
  return answer.ok ? ((await answer.json()).invented ?? []) : undefined;
}
