/**
 * Backends to try things with: each answers with what it was asked, so that one sees what the gateway
 * made of a request. Usage: echo.ts PORT [PORT ...]
 */

/** The answer to a request: its line, the backend's port, and its fields but those of the connection. */
export function echo(request: Request, port: number): Response {
  const { pathname, search } = new URL(request.url);
  const fields = [...request.headers]
    .filter(([name]) => !HIDDEN.test(name))
    .map(([name, value]) => `${name}: ${value}\n`);
  return new Response(
    `${request.method} ${pathname}${search} at ${port}\n${fields.sort().join("")}`,
    { headers: { "x-backend": String(port) } },
  );
}

/** Fields that differ from one request to the next. */
const HIDDEN = /^(x-forwarded-|x-real-ip$|x-request-id$|user-agent$|accept)/;

const USAGE = "Usage: echo.ts PORT [PORT ...]";

function refuse(message: string): never {
  Deno.stderr.writeSync(new TextEncoder().encode(`echo: ${message}\n`));
  Deno.exit(2);
}

if (import.meta.main) {
  if (Deno.args.includes("--help")) {
    Deno.stdout.writeSync(new TextEncoder().encode(`${USAGE}\n`));
    Deno.exit(0);
  }
  if (Deno.args.length === 0) refuse(`which ports? ${USAGE}`);
  for (const text of Deno.args) {
    const port = Number(text);
    if (!/^\d+$/.test(text) || port < 1 || port > 65535) refuse(`"${text}" is not a port`);
    try {
      Deno.serve({ hostname: "127.0.0.1", port }, (request) => echo(request, port));
    } catch (error) {
      refuse(`127.0.0.1:${port}: ${(error as Error).message}`);
    }
  }
}
