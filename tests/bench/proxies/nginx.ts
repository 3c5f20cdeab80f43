import { join } from "node:path";
import { childrenOf } from "../cpu.ts";
import { nginxConfig, nginxUpstream } from "../nginx_config.ts";
import { findProgram, versionOf } from "../programs.ts";
import type { ProxyKind } from "./proxy.ts";

const LOG_FORMAT =
  `log_format json escape=json '{"time":"$time_iso8601","method":"$request_method",` +
  `"host":"$host","path":"$request_uri","status":$status,"bytes_in":$request_length,` +
  `"bytes_out":$bytes_sent,"duration":$request_time,"upstream":"$upstream_addr",` +
  `"client":"$remote_addr","request_id":"$request_id","agent":"$http_user_agent",` +
  `"referer":"$http_referer"}';`;

function server(port: number, host: string): string[] {
  return [
    `server { listen 127.0.0.1:${port}; server_name ${host};`,
    "location / { proxy_pass http://backend; } }",
  ];
}

/** nginx, what the others are compared with. */
export const NGINX: ProxyKind = {
  name: "nginx",
  note: "access log (JSON, buffered, to a file); one worker process, the master is not counted",
  version: () => versionOf("nginx", ["-v"]),
  start(scene, { port, backendPort, hosts, core }) {
    const folder = scene.subfolder("nginx");
    const config = join(folder, "nginx.conf");
    const log = join(folder, "access.log");
    Deno.writeTextFileSync(
      config,
      nginxConfig(folder, [
        LOG_FORMAT,
        `access_log ${log} json buffer=64k flush=1s;`,
        nginxUpstream("backend", backendPort),
        "proxy_http_version 1.1;",
        'proxy_set_header Connection "";',
        "proxy_set_header Host $host;",
        "proxy_set_header X-Forwarded-For $remote_addr;",
        "proxy_set_header X-Forwarded-Proto $scheme;",
        "proxy_set_header X-Forwarded-Host $host;",
        "proxy_set_header X-Real-IP $remote_addr;",
        "proxy_set_header X-Request-Id $request_id;",
        ...hosts.flatMap((host) => server(port, host)),
      ]),
    );
    const command = [findProgram("nginx")!, "-p", folder, "-e", join(folder, "error.log")];
    const child = scene.spawn("nginx", [...command, "-c", config], { core });
    return Promise.resolve({ pids: () => childrenOf(child.pid), logs: [log] });
  },
};
