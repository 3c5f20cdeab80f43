import { join } from "node:path";
import { childrenOf } from "../cpu.ts";
import { nginxConfig, nginxUpstream } from "../nginx_config.ts";
import { findProgram, versionOf } from "../programs.ts";
import type { ProxyKind, ProxySetup } from "./proxy.ts";

const LOG_FORMAT =
  `log_format json escape=json '{"time":"$time_iso8601","method":"$request_method",` +
  `"host":"$host","path":"$request_uri","status":$status,"bytes_in":$request_length,` +
  `"bytes_out":$bytes_sent,"duration":$request_time,"upstream":"$upstream_addr",` +
  `"client":"$remote_addr","request_id":"$request_id","agent":"$http_user_agent",` +
  `"referer":"$http_referer"}';`;

/** What backends are told; HTTP and gRPC have directives of their own for it. */
const FORWARDED = [
  "Host $host",
  "X-Forwarded-For $remote_addr",
  "X-Forwarded-Proto $scheme",
  "X-Forwarded-Host $host",
  "X-Real-IP $remote_addr",
  "X-Request-Id $request_id",
];

function upstreamOf({ backend }: ProxySetup): { pass: string; directives: string[] } {
  const set = (directive: string, fields: readonly string[]) =>
    fields.map((field) => `${directive} ${field};`);
  if (backend === "grpc") {
    return { pass: "grpc_pass grpc://backend;", directives: set("grpc_set_header", FORWARDED) };
  }
  const connection = backend === "websocket"
    ? ["Connection upgrade", "Upgrade $http_upgrade"]
    : ['Connection ""'];
  return {
    pass: "proxy_pass http://backend;",
    directives: [
      "proxy_http_version 1.1;",
      // A large answer that a client takes slowly would go through the disk.
      "proxy_max_temp_file_size 0;",
      ...set("proxy_set_header", [...FORWARDED, ...connection]),
    ],
  };
}

function config(folder: string, log: string, setup: ProxySetup): string {
  const { port, backendPort, certificate, client, hosts, workers, clients } = setup;
  const listen = `listen 127.0.0.1:${port}${certificate === null ? "" : " ssl"}${
    client === "http2" ? " http2" : ""
  };`;
  const { pass, directives } = upstreamOf(setup);
  const connections = clients === undefined ? {} : { connections: clients };
  return nginxConfig(folder, [
    LOG_FORMAT,
    `access_log ${log} json buffer=64k flush=1s;`,
    nginxUpstream("backend", backendPort),
    ...directives,
    ...(certificate === null ? [] : [
      `ssl_certificate ${certificate.certificateFile};`,
      `ssl_certificate_key ${certificate.keyFile};`,
      "ssl_protocols TLSv1.2 TLSv1.3;",
    ]),
    ...hosts.map((host) => `server { ${listen} server_name ${host}; location / { ${pass} } }`),
  ], { workers, ...connections });
}

/** nginx, what the others are compared with. */
export const NGINX: ProxyKind = {
  name: "nginx",
  note: "access log (JSON, buffered, to a file); worker processes, the master is not counted",
  version: () => versionOf("nginx", ["-v"]),
  start(scene, setup) {
    const folder = scene.subfolder("nginx");
    const file = join(folder, "nginx.conf");
    const log = join(folder, "access.log");
    Deno.writeTextFileSync(file, config(folder, log, setup));
    const command = [findProgram("nginx")!, "-p", folder, "-e", join(folder, "error.log")];
    const { core, openFiles } = setup;
    const child = scene.spawn("nginx", [...command, "-c", file], { core, openFiles });
    return Promise.resolve({ pids: () => childrenOf(child.pid), logs: [log] });
  },
};
