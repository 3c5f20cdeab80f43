/**
 * Backend of the neighbours bench. Usage: backend.ts PORT. `/big` is 30 MB of text, `/stream` 2 MB;
 * HTTP/1.1 and HTTP/2 by prior knowledge.
 */
const line = Array.from({ length: 400 }, (_, i) => `${(i * 2654435761) % 4294967296} item ${i}`)
  .join("\n");
const PIECE = 50_000;
const piece = new TextEncoder().encode(line.repeat(Math.ceil(PIECE / line.length))).slice(0, PIECE);
/** Content that is made as it is taken: a thousand responses at once would be gigabytes of the machine. */
function text(bytes: number): ReadableStream<Uint8Array> {
  let left = bytes;
  return new ReadableStream({
    pull(controller) {
      controller.enqueue(piece);
      left -= PIECE;
      if (left <= 0) controller.close();
    },
  }, { highWaterMark: 0 });
}

const headers = { "content-type": "text/plain" };

Deno.serve({ port: Number(Deno.args[0]), hostname: "127.0.0.1", onListen() {} }, (request) => {
  const { pathname } = new URL(request.url);
  if (pathname === "/big") return new Response(text(30_000_000), { headers });
  if (pathname === "/stream") return new Response(text(2_000_000), { headers });
  // What an attacker does not end is waited for.
  if (request.method === "POST") return request.text().then(() => new Response("ok"));
  return new Response("ok", { headers });
});
