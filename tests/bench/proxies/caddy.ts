import { join } from "node:path";
import { findProgram, versionOf } from "../programs.ts";
import type { ProxyKind, ProxySetup } from "./proxy.ts";

/** Caddy sets X-Forwarded-For, -Proto and -Host by itself. */
function route(host: string, { backend, backendPort }: ProxySetup) {
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
        // What h2c://... means in a Caddyfile.
        ...(backend === "grpc" ? { versions: ["h2c", "2"] } : {}),
      },
    }],
  };
}

/** A server speaks TLS when it has a policy for it; the certificate is chosen by what clients name. */
function tls({ certificate }: ProxySetup) {
  return certificate === null ? {} : {
    tls: {
      certificates: {
        load_files: [{ certificate: certificate.certificateFile, key: certificate.keyFile }],
      },
    },
  };
}

/**
 * JSON and not a Caddyfile, which knows access logs by site only: older versions then miss the log of a
 * site with a port, and pass every line by a list as long as there are sites.
 */
function config(setup: ProxySetup, log: string) {
  const { port, certificate, client, hosts } = setup;
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
      ...tls(setup),
      http: {
        servers: {
          bench: {
            listen: [`127.0.0.1:${port}`],
            automatic_https: { disable: true },
            logs: { default_logger_name: logger },
            protocols: client === "http2" ? ["h1", "h2", "h2c"] : ["h1"],
            ...(certificate === null ? {} : { tls_connection_policies: [{}] }),
            routes: hosts.map((host) => route(host, setup)),
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
      openFiles: setup.openFiles,
      env: { HOME: folder, XDG_DATA_HOME: folder, XDG_CONFIG_HOME: folder },
    });
    return Promise.resolve({ pids: () => [child.pid], logs: [log] });
  },
};
