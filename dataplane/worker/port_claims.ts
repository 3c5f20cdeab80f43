import { messageOf } from "../../common/errors.ts";

/** Tries to bind an address as its only owner; returns why it cannot, or "". */
export type Probe = (address: string, port: number) => string;

/** Binds and frees the address: without SO_REUSEPORT this fails when anybody else listens there. */
export const probeByBinding: Probe = (address, port) => {
  try {
    Deno.listen({ hostname: address === "" ? "0.0.0.0" : address, port }).close();
    return "";
  } catch (error) {
    if (error instanceof Deno.errors.AddrInUse) return `port ${port} is taken by another process`;
    if (error instanceof Deno.errors.PermissionDenied && port < 1024) {
      return `port ${port} needs the right to bind ports below 1024: grant the capability ` +
        "CAP_NET_BIND_SERVICE (systemd: AmbientCapabilities=CAP_NET_BIND_SERVICE), or set " +
        `sysctl net.ipv4.ip_unprivileged_port_start=${port}`;
    }
    return messageOf(error);
  }
};

/**
 * Which addresses belong to this process. Workers share a port by SO_REUSEPORT, by which another process
 * could share it too and silently take part of the traffic: so the first worker's claim is checked.
 */
export class PortClaims {
  readonly #holders = new Map<string, Set<number>>();
  readonly #probe: Probe;

  constructor(probe: Probe) {
    this.#probe = probe;
  }

  /** A worker wants to bind; returns why it must not, or "". */
  claim(worker: number, address: string, port: number): string {
    const key = `${address}|${port}`;
    const holders = this.#holders.get(key);
    if (holders !== undefined) {
      holders.add(worker);
      return "";
    }
    const problem = this.#probe(address, port);
    if (problem === "") this.#holders.set(key, new Set([worker]));
    return problem;
  }

  /** A worker closed the address or could not bind it. */
  release(worker: number, address: string, port: number): void {
    this.#drop(`${address}|${port}`, worker);
  }

  /** A worker is gone with everything it held. */
  releaseAll(worker: number): void {
    for (const key of [...this.#holders.keys()]) this.#drop(key, worker);
  }

  #drop(key: string, worker: number): void {
    const holders = this.#holders.get(key);
    if (holders === undefined) return;
    holders.delete(worker);
    if (holders.size === 0) this.#holders.delete(key);
  }
}
