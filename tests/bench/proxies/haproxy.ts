import { join } from "node:path";
import { findProgram, versionOf } from "../programs.ts";
import type { ProxyKind, ProxySetup } from "./proxy.ts";

const LOG_FORMAT = `'{"time":"%Ts.%ms","method":"%HM","host":"%[var(txn.host)]","path":"%HU",` +
  `"status":%ST,"bytes_in":%U,"bytes_out":%B,"duration_ms":%Ta,"upstream":"%si:%sp",` +
  `"client":"%ci","request_id":"%ID"}'`;

/** `http-reuse always`: as the others, it uses a pooled connection for a client's first request too. */
function config({ port, backendPort }: ProxySetup, map: string): string {
  return `global
  nbthread 1
  maxconn 8192
  log stdout format raw local0
defaults
  mode http
  log global
  option dontlognull
  log-format ${LOG_FORMAT}
  http-reuse always
  timeout connect 2s
  timeout client 75s
  timeout server 60s
frontend clients
  bind 127.0.0.1:${port}
  unique-id-format %[uuid()]
  http-request set-var(txn.host) req.hdr(host),lower
  http-request set-header X-Forwarded-For %[src]
  http-request set-header X-Forwarded-Proto http
  http-request set-header X-Forwarded-Host %[req.hdr(host)]
  http-request set-header X-Real-IP %[src]
  http-request set-header X-Request-Id %[unique-id]
  use_backend %[var(txn.host),map_str(${map})]
backend servers
  server backend 127.0.0.1:${backendPort}
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
    const child = scene.spawn("haproxy", [findProgram("haproxy")!, "-db", "-f", file], {
      core: setup.core,
    });
    return Promise.resolve({ pids: () => [child.pid], logs: [] });
  },
};
