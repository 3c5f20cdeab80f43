import type { Endpoint } from "../../proto/gen/novaedge/v1/config.ts";
import type { Candidate } from "../balancer/balancer.ts";
import { EndpointLoad } from "../balancer/endpoint_load.ts";
import type { EndpointPool } from "./endpoint_pool.ts";
import type { Selectable } from "./selection.ts";

/** One endpoint with its connections, as long as it stays in the configuration. */
export class EndpointRuntime implements Candidate, Selectable {
  readonly load = new EndpointLoad();
  /** What the balancer goes by; the configured weight but for those that start slowly. */
  weight = 1;
  configuredWeight = 1;
  zone = "";
  priority = 0;
  ready = false;

  /**
   * @param label "address:port"
   * @param slot of what all threads know of it
   */
  constructor(
    readonly address: string,
    readonly port: number,
    readonly label: string,
    readonly slot: number,
    readonly pool: EndpointPool,
  ) {}

  /** Takes over what may change of an endpoint. */
  update({ weight, zone, priority, ready }: Endpoint): void {
    this.weight = weight;
    this.configuredWeight = weight;
    this.zone = zone;
    this.priority = priority;
    this.ready = ready;
  }
}

/** "address:port", with brackets where the address needs them. */
export function endpointLabel({ address, port }: { address: string; port: number }): string {
  return address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
}
