import { denoCommand } from "../runtime.ts";
import type { ProxyKind } from "./proxy.ts";

/** The floor of this runtime: see ../relay.ts. */
export const RELAY: ProxyKind = {
  name: "relay",
  note: "parses nothing; with a connection per request it opens one to the backend for each too",
  version: () => Promise.resolve(`deno ${Deno.version.deno}`),
  start(scene, { port, backendPort, core }) {
    const args = [`${port}`, `${backendPort}`];
    const child = scene.spawn("relay", denoCommand("tests/bench/relay.ts", args), { core });
    return Promise.resolve({ pids: () => [child.pid], logs: [] });
  },
};
