import { aborted } from "../../common/program.ts";

/** Name and port of each demo backend. */
export interface DemoFlags {
  readonly backends: readonly { readonly name: string; readonly port: number }[];
}

/** Serves a line of text per backend until the signal is aborted. */
export async function runDemoBackends({ backends }: DemoFlags, signal: AbortSignal): Promise<void> {
  const servers = backends.map(({ name, port }) =>
    Deno.serve({ hostname: "127.0.0.1", port, onListen() {} }, (request) => {
      const { pathname } = new URL(request.url);
      const client = request.headers.get("x-forwarded-for");
      return new Response(`Hello from ${name}: ${request.method} ${pathname} for ${client}\n`);
    })
  );
  await aborted(signal);
  await Promise.all(servers.map((server) => server.shutdown()));
}
