import { join } from "node:path";
import { BODY_100, BODY_16K, LENGTH_100M, LENGTH_1M } from "./bodies.ts";
import type { BackendKind } from "./cases.ts";
import { nginxConfig } from "./nginx_config.ts";
import { freePort } from "./ports.ts";
import { findProgram } from "./programs.ts";
import { ask } from "./raw_client.ts";
import { denoCommand, rawBackendCommand } from "./runtime.ts";
import { type Scene, until } from "./scene.ts";

/** What answers behind the proxies. */
export interface Backend {
  readonly port: number;
  /** What serves it, for the report. */
  readonly description: string;
}

/** Starts a backend; resolves when it answers. */
export function startBackend(
  scene: Scene,
  core: number | null,
  kind: BackendKind = "http1",
): Promise<Backend> {
  switch (kind) {
    case "http1":
      return startHttpBackend(scene, core);
    case "grpc":
      return startOwnBackend(scene, core, "grpc");
    case "websocket":
      return startOwnBackend(scene, core, "websocket");
  }
}

/** Answers `/` with 100 bytes and `/16k` with 16 KiB; nginx answers `/1m` and `/100m` too. */
async function startHttpBackend(scene: Scene, core: number | null): Promise<Backend> {
  const port = freePort();
  const nginx = findProgram("nginx");
  const child = scene.spawn(
    "backend",
    nginx === null ? rawBackendCommand([[port, BODY_100]]) : nginxCommand(scene, nginx, port),
    { core },
  );
  await until("the backend", [child], async () => {
    const [small, large] = await Promise.all([ask(port, "b", "/"), ask(port, "b", "/16k")]);
    return small?.body.length === BODY_100.length && large?.body.length === BODY_16K.length;
  });
  return { port, description: nginx === null ? "our raw backend (nginx is missing)" : "nginx" };
}

/** A backend that is a script of ours; what it answers is checked through the proxies. */
async function startOwnBackend(
  scene: Scene,
  core: number | null,
  kind: "grpc" | "websocket",
): Promise<Backend> {
  const port = freePort();
  const command = denoCommand(`tests/bench/${kind}_backend.ts`, [`${port}`]);
  const child = scene.spawn("backend", command, { core });
  await until("the backend", [child], () => listens(port));
  return { port, description: `our ${kind === "grpc" ? "gRPC" : "WebSocket"} echo` };
}

async function listens(port: number): Promise<boolean> {
  try {
    (await Deno.connect({ hostname: "127.0.0.1", port })).close();
    return true;
  } catch {
    return false; // Not yet.
  }
}

function nginxCommand(scene: Scene, nginx: string, port: number): string[] {
  const folder = scene.subfolder("backend");
  const config = join(folder, "nginx.conf");
  Deno.writeTextFileSync(join(folder, "16k"), BODY_16K);
  // Downloads are holes in files: they take no disk and are read from the page cache.
  for (const [name, length] of [["1m", LENGTH_1M], ["100m", LENGTH_100M]] as const) {
    Deno.writeTextFileSync(join(folder, name), "");
    Deno.truncateSync(join(folder, name), length);
  }
  const file = (name: string) =>
    `location = /${name} { root ${folder}; sendfile on; open_file_cache max=8; }`;
  Deno.writeTextFileSync(
    config,
    nginxConfig(folder, [
      "access_log off;",
      "server {",
      `listen 127.0.0.1:${port};`,
      `location / { return 200 "${BODY_100}"; }`,
      `location = /16k { root ${folder}; open_file_cache max=8; }`,
      file("1m"),
      file("100m"),
      "}",
    ]),
  );
  return [nginx, "-p", folder, "-e", join(folder, "error.log"), "-c", config];
}
