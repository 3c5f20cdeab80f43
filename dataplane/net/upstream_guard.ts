import { isIP } from "node:net";
import { CidrSet } from "../../common/cidr.ts";

/** What a connection to a forbidden address fails with. */
export const FORBIDDEN = "connections to this address are not allowed";

/** Networks as flags give them. */
export interface GuardSettings {
  readonly blocked: readonly string[];
  /** Comes before `blocked` and before the addresses of nodes. */
  readonly allowed: readonly string[];
}

/** Says where nobody may lead us, whatever a configuration names: checked for every connection. */
export class UpstreamGuard {
  readonly #blocked: CidrSet;
  readonly #allowed: CidrSet;
  /** Addresses of the cluster's machines by their names. */
  readonly #byNode = new Map<string, readonly string[]>();
  /** All of them, null when they changed. */
  #nodes: CidrSet | null = null;

  /** @throws {CidrError} for a text that is no network */
  constructor({ blocked, allowed }: GuardSettings) {
    this.#blocked = new CidrSet(blocked);
    this.#allowed = new CidrSet(allowed);
  }

  /** Takes in the addresses of a machine, null when it is gone. */
  setNode(name: string, addresses: readonly string[] | null): void {
    this.#nodes = null;
    if (addresses === null) this.#byNode.delete(name);
    else this.#byNode.set(name, addresses.filter((address) => isIP(address) !== 0));
  }

  /** Whether an address is forbidden; a name is checked by the address that it turns out to be. */
  forbids(address: string): boolean {
    if (isIP(address) === 0) return false;
    if (!this.#blocked.has(address) && !this.#isNode(address)) return false;
    return !this.#allowed.has(address);
  }

  #isNode(address: string): boolean {
    this.#nodes ??= new CidrSet([...this.#byNode.values()].flat());
    return this.#nodes.has(address);
  }
}
