import { isIP } from "node:net";
import { CidrSet } from "../../common/cidr.ts";

/** Networks as flags give them. */
export interface GuardSettings {
  readonly blocked: readonly string[];
  /** Comes before `blocked`. */
  readonly allowed: readonly string[];
}

/** Says where nobody may lead us, whatever a configuration names: checked for every connection. */
export class UpstreamGuard {
  readonly #blocked: CidrSet;
  readonly #allowed: CidrSet;

  /** @throws {CidrError} for a text that is no network */
  constructor({ blocked, allowed }: GuardSettings) {
    this.#blocked = new CidrSet(blocked);
    this.#allowed = new CidrSet(allowed);
  }

  /** Whether an address is forbidden; a name is checked by the address that it turns out to be. */
  forbids(address: string): boolean {
    if (this.#blocked.empty || isIP(address) === 0) return false;
    return this.#blocked.has(address) && !this.#allowed.has(address);
  }
}
