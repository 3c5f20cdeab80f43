import { join } from "node:path";

/** Requests an upstream or client connection may carry: the default of 1000 would put closings into the rounds. */
const UNLIMITED = 1_000_000_000;

/** Connections of a worker where nothing else is said, those to backends included. */
const CONNECTIONS = 8192;

/** An nginx configuration around `http`: everything it writes inside `folder`. */
export function nginxConfig(
  folder: string,
  http: readonly string[],
  { workers = 1, connections = CONNECTIONS } = {},
): string {
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((name) =>
    `${name}_temp_path ${join(folder, name)};`
  );
  return [
    // Without this a master started by root gives its worker to a user who cannot enter the folder.
    ...(Deno.uid() === 0 ? ["user root;"] : []),
    `worker_processes ${workers};`,
    "daemon off;",
    `pid ${join(folder, "nginx.pid")};`,
    `error_log ${join(folder, "error.log")} warn;`,
    `events { worker_connections ${connections}; }`,
    "http {",
    ...temporary,
    "default_type text/plain;",
    "tcp_nodelay on;",
    `keepalive_requests ${UNLIMITED};`,
    "server_names_hash_max_size 65536;",
    "server_names_hash_bucket_size 128;",
    ...http,
    "}",
    "",
  ].join("\n");
}

/** An upstream with a pool of idle connections. */
export function nginxUpstream(name: string, port: number): string {
  return `upstream ${name} { server 127.0.0.1:${port}; keepalive 256; keepalive_requests ${UNLIMITED}; }`;
}
