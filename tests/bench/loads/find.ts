import type { RequestCase } from "../cases.ts";
import { findProgram } from "../programs.ts";
import type { Scene } from "../scene.ts";
import { h2load } from "./h2load.ts";
import { handshakes } from "./handshakes.ts";
import type { LoadGenerator } from "./load.ts";
import { rawLoad } from "./raw.ts";
import { webSocketLoad } from "./websocket.ts";
import { wrk } from "./wrk.ts";

/** A program that a case cannot do without and that is not installed, null when all are there. */
export function missingProgram(plan: RequestCase): string | null {
  return needed(plan).find((name) => findProgram(name) === null) ?? null;
}

function needed({ load, tls, unit }: RequestCase): string[] {
  switch (load) {
    case "http1":
      // Scripts of ours stand in for both, but do not speak TLS and have no large bodies.
      return unit === "MB" ? ["wrk", "nginx"] : tls ? ["wrk"] : [];
    case "http2":
      return ["h2load"];
    case "handshakes":
    case "websocket":
      return [];
  }
}

/** What drives a case. */
export async function findLoadGenerator(
  scene: Scene,
  plan: Pick<RequestCase, "load"> = { load: "http1" },
): Promise<LoadGenerator> {
  switch (plan.load) {
    case "http1":
      return findProgram("wrk") === null ? rawLoad(scene) : await wrk(scene);
    case "http2":
      return await h2load(scene);
    case "handshakes":
      return handshakes(scene);
    case "websocket":
      return webSocketLoad(scene);
  }
}
