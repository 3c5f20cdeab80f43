import { join } from "node:path";
import { findProgram, versionOf } from "../programs.ts";
import type { ProxyKind, ProxySetup } from "./proxy.ts";

/** Caddy sets X-Forwarded-For, -Proto and -Host by itself. */
function route(host: string, backendPort: number) {
  return {
    match: [{ host: [host] }],
    terminal: true,
    handle: [{
      handler: "reverse_proxy",
      upstreams: [{ dial: `127.0.0.1:${backendPort}` }],
      headers: {
        request: {
          set: {
            "X-Real-Ip": ["{http.request.remote.host}"],
            "X-Request-Id": ["{http.request.uuid}"],
          },
        },
      },
      transport: {
        protocol: "http",
        compression: false,
        keep_alive: { max_idle_conns_per_host: 256 },
      },
    }],
  };
}

/**
 * JSON and not a Caddyfile, which knows access logs by site only: older versions then miss the log of a
 * site with a port, and pass every line by a list as long as there are sites.
 */
function config({ port, backendPort, hosts }: ProxySetup, log: string) {
  const logger = "all";
  const access = `http.log.access.${logger}`;
  return {
    admin: { disabled: true, config: { persist: false } },
    logging: {
      logs: {
        default: { exclude: [access] },
        [logger]: {
          include: [access],
          writer: { output: "file", filename: log, roll: false },
          encoder: { format: "json" },
        },
      },
    },
    apps: {
      http: {
        servers: {
          bench: {
            listen: [`127.0.0.1:${port}`],
            automatic_https: { disable: true },
            logs: { default_logger_name: logger },
            routes: hosts.map((host) => route(host, backendPort)),
          },
        },
      },
    },
  };
}

/** Caddy, the other gateway in a managed language. */
export const CADDY: ProxyKind = {
  name: "Caddy",
  note: "access log as HAProxy; routes are tried one after the other, each with a pool of its own",
  version: () => versionOf("caddy", ["version"]),
  start(scene, setup) {
    const folder = scene.subfolder("caddy");
    const file = join(folder, "caddy.json");
    const log = join(folder, "access.log");
    Deno.writeTextFileSync(file, JSON.stringify(config(setup, log)));
    const child = scene.spawn("caddy", [findProgram("caddy")!, "run", "--config", file], {
      core: setup.core,
      env: { HOME: folder, XDG_DATA_HOME: folder, XDG_CONFIG_HOME: folder },
    });
    return Promise.resolve({ pids: () => [child.pid], logs: [log] });
  },
};
