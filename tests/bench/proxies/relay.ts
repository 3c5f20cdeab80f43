import { denoCommand } from "../runtime.ts";
import type { ProxyKind } from "./proxy.ts";

/** The floor of this runtime: see ../relay.ts. */
export const RELAY: ProxyKind = {
  name: "relay",
  note: "parses nothing; every connection of a client has one to the backend of its own",
  version: () => Promise.resolve(`deno ${Deno.version.deno}`),
  excuse({ client, backend, clients }) {
    if (client === "http2" && backend === "http1") return "it cannot turn HTTP/2 into HTTP/1.1";
    return clients === undefined ? null : "it keeps a backend connection for every client";
  },
  start(scene, { port, backendPort, certificate, core, openFiles }) {
    const args = [`${port}`, `${backendPort}`];
    if (certificate !== null) args.push(certificate.certificateFile, certificate.keyFile);
    const child = scene.spawn("relay", denoCommand("tests/bench/relay.ts", args), {
      core,
      openFiles,
    });
    return Promise.resolve({ pids: () => [child.pid], logs: [] });
  },
};
