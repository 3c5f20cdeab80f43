import type { AddressInfo, Server } from "node:net";
import { Authority, type Pair } from "../support/authority.ts";
import { Edge } from "../support/edge.ts";
import { freePort } from "../support/programs.ts";
import { grpcBackend } from "./backends/grpc.ts";
import { http1Backend } from "./backends/http1.ts";
import { http2Backend } from "./backends/http2.ts";
import { tearingRelay } from "./backends/relay.ts";
import { webSocketBackend } from "./backends/websocket.ts";
import type { Ledger } from "./ledger.ts";
import { type BackendPorts, files, type Variant } from "./resources.ts";
import { WORKERS } from "./samples.ts";
import type { Ports } from "./world.ts";

/** Certificates that the edge serves in turn. */
const CERTIFICATES = 3;

/** A running edge with all its backends. */
export interface EdgeScene {
  readonly edge: Edge;
  readonly ports: Ports;
  readonly authority: string;
  readonly pairs: readonly Pair[];
  readonly first: Variant;
  files(variant: Variant): Record<string, string>;
}

export async function startEdge(ledger: Ledger, transport: string): Promise<EdgeScene> {
  const portOf = (server: Server) => (server.address() as AddressInfo).port;
  const two = portOf(await http2Backend(ledger));
  const calm = await grpcBackend(ledger);
  const backends: BackendPorts = {
    one: portOf(await http1Backend(ledger)),
    again: portOf(await http1Backend(ledger)),
    silent: portOf(await http1Backend(ledger)),
    two,
    torn: portOf(await tearingRelay(two)),
    calm,
    tornGrpc: portOf(await tearingRelay(calm)),
    sockets: await webSocketBackend(),
  };
  const authority = await Authority.create();
  const pairs: Pair[] = [];
  for (let i = 0; i < CERTIFICATES; i++) {
    pairs.push(
      await authority.issue({ name: "localhost", dns: ["localhost"], ips: ["127.0.0.1"] }),
    );
  }
  const ports = { plain: freePort(), tls: freePort() };
  const spare = freePort();
  const first: Variant = {
    change: 0,
    connectTimeout: 2_000,
    secondEndpoint: false,
    spareListener: false,
    unusedRules: 0,
    certificate: pairs[0],
  };
  const filesOf = (variant: Variant) => files(ports, spare, backends, variant);
  const edge = await Edge.start(filesOf(first), {
    workers: WORKERS,
    dataplaneArgs: ["--fault-injection", "--transport", transport],
  });
  return { edge, ports, authority: authority.certificate, pairs, first, files: filesOf };
}
