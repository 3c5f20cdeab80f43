import { join } from "node:path";
import { findProgram, versionOf } from "../programs.ts";
import type { ProxyKind, ProxySetup } from "./proxy.ts";

const LOG_FORMAT = `'{"time":"%Ts.%ms","method":"%HM","host":"%[var(txn.host)]","path":"%HU",` +
  `"status":%ST,"bytes_in":%U,"bytes_out":%B,"duration_ms":%Ta,"upstream":"%si:%sp",` +
  `"client":"%ci","request_id":"%ID"}'`;

/** Clients at once where nothing else is said. */
const CLIENTS = 8192;

/** What clients speak, as options of a `bind` line. */
function binding({ certificate, client }: ProxySetup): string {
  if (certificate === null) return client === "http2" ? "proto h2" : "";
  const offered = client === "http2" ? "h2,http/1.1" : "http/1.1";
  return `ssl crt ${certificate.bothFile} alpn ${offered}`;
}

/** `http-reuse always`: as the others, it uses a pooled connection for a client's first request too. */
function config(setup: ProxySetup, map: string): string {
  const { port, backend, backendPort, workers, clients, openFiles } = setup;
  // It asks for two files per client, which may be more than it can have, and needs fewer.
  const files = openFiles === undefined ? "" : `  ulimit-n ${openFiles}\n  no strict-limits\n`;
  return `global
  nbthread ${workers}
  maxconn ${clients ?? CLIENTS}
${files}  log stdout format raw local0
  ssl-default-bind-options ssl-min-ver TLSv1.2
defaults
  mode http
  log global
  option dontlognull
  log-format ${LOG_FORMAT}
  http-reuse always
  timeout connect 2s
  timeout client 75s
  timeout server 60s
  timeout tunnel 300s
frontend clients
  bind 127.0.0.1:${port} ${binding(setup)}
  unique-id-format %[uuid()]
  http-request set-var(txn.host) req.hdr(host),lower
  http-request set-header X-Forwarded-For %[src]
  http-request set-header X-Forwarded-Proto ${setup.certificate === null ? "http" : "https"}
  http-request set-header X-Forwarded-Host %[req.hdr(host)]
  http-request set-header X-Real-IP %[src]
  http-request set-header X-Request-Id %[unique-id]
  use_backend %[var(txn.host),map_str(${map})]
backend servers
  server backend 127.0.0.1:${backendPort}${backend === "grpc" ? " proto h2" : ""}
`;
}

/** HAProxy, its hosts in a map as its manual advises. */
export const HAPROXY: ProxyKind = {
  name: "HAProxy",
  note: "access log (JSON, to a file, one write per line: it cannot buffer); hosts in one map",
  version: () => versionOf("haproxy", ["-v"]),
  start(scene, setup) {
    const folder = scene.subfolder("haproxy");
    const file = join(folder, "haproxy.cfg");
    const map = join(folder, "hosts.map");
    Deno.writeTextFileSync(map, setup.hosts.map((host) => `${host} servers\n`).join(""));
    Deno.writeTextFileSync(file, config(setup, map));
    const { core, openFiles } = setup;
    const command = [findProgram("haproxy")!, "-db", "-f", file];
    const child = scene.spawn("haproxy", command, { core, openFiles });
    return Promise.resolve({ pids: () => [child.pid], logs: [] });
  },
};
