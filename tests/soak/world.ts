import type { Gate } from "./gate.ts";
import type { Ledger } from "./ledger.ts";
import type { Links } from "./links.ts";

/** What all traffic shares. */
export interface World {
  readonly ports: Ports;
  readonly gate: Gate;
  readonly ledger: Ledger;
  readonly links: Links;
  /** Certificate of the authority behind the TLS listener, PEM. */
  readonly authority: string;
}

/** Ports of the edge. */
export interface Ports {
  readonly plain: number;
  readonly tls: number;
}
