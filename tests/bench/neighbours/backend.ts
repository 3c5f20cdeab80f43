/**
 * Backend of the neighbours bench. Usage: backend.ts PORT. `/big` is 30 MB of text, `/stream` 2 MB;
 * HTTP/1.1 and HTTP/2 by prior knowledge.
 */
const line = Array.from({ length: 400 }, (_, i) => `${(i * 2654435761) % 4294967296} item ${i}`)
  .join("\n");
const text = (bytes: number) =>
  new TextEncoder().encode(line.repeat(Math.ceil(bytes / line.length)));
const big = text(30_000_000);
const stream = text(2_000_000);
const headers = { "content-type": "text/plain" };

Deno.serve({ port: Number(Deno.args[0]), hostname: "127.0.0.1", onListen() {} }, (request) => {
  const { pathname } = new URL(request.url);
  if (pathname === "/big") return new Response(big, { headers });
  if (pathname === "/stream") return new Response(stream, { headers });
  // What an attacker does not end is waited for.
  if (request.method === "POST") return request.text().then(() => new Response("ok"));
  return new Response("ok", { headers });
});
