/**
 * A Vercel function that gets a ticket for one stream. The gateway's token stays on the server.
 *
 * Every caller can see the account. Require your own sign-in before it.
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
