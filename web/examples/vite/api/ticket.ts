/**
 * A Vercel function: gets a ticket for one stream, so that the gateway's token stays on the server.
 *
 * Whoever may call it sees the account: ask for your own sign-in first.
 */
export async function POST(request: Request): Promise<Response> {
  const answer = await fetch(`${process.env.VITE_TAPECAST_URL}/api/stream/ticket`, {
    method: "POST",
    headers: {
      Authorization: `Bearer ${process.env.API_TOKEN}`,
      "Content-Type": "application/json",
    },
    body: await request.text(),
    signal: AbortSignal.timeout(10_000),
  });
  return new Response(answer.body, {
    status: answer.status,
    headers: { "Content-Type": "application/json", "Cache-Control": "no-store" },
  });
}
