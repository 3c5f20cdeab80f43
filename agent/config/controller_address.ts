import { lookup } from "node:dns/promises";
import { isIP } from "node:net";
import { delay } from "../../common/backoff.ts";

/** Milliseconds in which name servers must answer, and where an earlier answer is known. */
const LIMIT = 10_000;
const LIMIT_AGAIN = 1_000;

/** Addresses of a host, in the order in which they are to be tried. @throws when there are none */
export type Lookup = (host: string) => Promise<readonly { address: string; family: number }[]>;

const ask: Lookup = (host) => lookup(host, { all: true });

/**
 * Where the controller is. Its name is asked for each time; when no answer comes, the last one counts: the name
 * servers of a cluster may be on the node that is lost, and a Service keeps its address.
 */
export class ControllerAddress {
  readonly #address: string;
  readonly #lookup: Lookup;
  #known: readonly string[] = [];

  /** @param address "host:port" or "unix:/path" */
  constructor(address: string, lookup = ask) {
    this.#address = address;
    this.#lookup = lookup;
  }

  toString(): string {
    return this.#address;
  }

  /** Targets of gRPC, one of each family. @throws when the name was never resolved */
  async targets(signal: AbortSignal): Promise<readonly string[]> {
    const at = this.#address.lastIndexOf(":");
    const host = this.#address.slice(0, at);
    if (host === "unix" || isIP(host.replace(/^\[(.*)\]$/, "$1")) !== 0) return [this.#address];
    const ended = new AbortController();
    const limit = this.#known.length === 0 ? LIMIT : LIMIT_AGAIN;
    try {
      const late = delay(limit, AbortSignal.any([signal, ended.signal])).then(() => {
        throw new Error(`no name server answers for ${host}`);
      });
      return await Promise.race([this.#ask(host, this.#address.slice(at + 1)), late]);
    } catch (error) {
      if (this.#known.length > 0) return this.#known;
      throw error;
    } finally {
      ended.abort();
    }
  }

  async #ask(host: string, port: string): Promise<readonly string[]> {
    const found = await this.#lookup(host);
    const four = found.filter(({ family }) => family === 4).map(({ address }) => address);
    const six = found.filter(({ family }) => family === 6).map(({ address }) => `[${address}]`);
    const targets = [["ipv4:", four], ["ipv6:", six]] as const;
    this.#known = (found[0]?.family === 6 ? targets.toReversed() : targets)
      .filter(([, hosts]) => hosts.length > 0)
      .map(([scheme, hosts]) => scheme + hosts.map((one) => `${one}:${port}`).join());
    return this.#known;
  }
}
