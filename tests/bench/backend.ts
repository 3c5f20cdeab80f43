import { join } from "node:path";
import { BODY_100, BODY_16K } from "./bodies.ts";
import { nginxConfig } from "./nginx_config.ts";
import { freePort } from "./ports.ts";
import { findProgram } from "./programs.ts";
import { ask } from "./raw_client.ts";
import { rawBackendCommand } from "./runtime.ts";
import { type Scene, until } from "./scene.ts";

/** The backend of the request and memory benches. */
export interface Backend {
  readonly port: number;
  /** What serves it, for the report. */
  readonly description: string;
}

/** Starts a backend that answers `/` with 100 bytes and `/16k` with 16 KiB. */
export async function startBackend(scene: Scene, core: number | null): Promise<Backend> {
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

function nginxCommand(scene: Scene, nginx: string, port: number): string[] {
  const folder = scene.subfolder("backend");
  const config = join(folder, "nginx.conf");
  Deno.writeTextFileSync(join(folder, "16k"), BODY_16K);
  Deno.writeTextFileSync(
    config,
    nginxConfig(folder, [
      "access_log off;",
      "server {",
      `listen 127.0.0.1:${port};`,
      `location / { return 200 "${BODY_100}"; }`,
      `location = /16k { root ${folder}; open_file_cache max=8; }`,
      "}",
    ]),
  );
  return [nginx, "-p", folder, "-e", join(folder, "error.log"), "-c", config];
}
