import { run } from "./binaries.ts";

/** Hosts of one network that exists on this machine only: a namespace each, joined by a bridge. */
export class Lan {
  readonly #id: string;
  readonly #hosts = new Map<string, string>();
  /** First three bytes of all addresses; of the range for tests of networks (RFC 2544). */
  readonly network: string;

  private constructor(id: string, network: string) {
    this.#id = id;
    this.network = network;
  }

  /** Makes the network; this machine itself is its host 1. */
  static async create(): Promise<Lan> {
    const random = crypto.getRandomValues(new Uint8Array(3));
    const id = Array.from(random, (byte) => byte.toString(16).padStart(2, "0")).join("");
    const lan = new Lan(id, `198.18.${random[0]}`);
    const bridge = lan.namespace("lan");
    await ip("netns", "add", bridge);
    await ip("-n", bridge, "link", "add", "lan", "type", "bridge");
    await ip("-n", bridge, "link", "set", "lan", "up");
    const device = `ne${id}`;
    await ip("link", "add", device, "type", "veth", "peer", "name", "host", "netns", bridge);
    await ip("-n", bridge, "link", "set", "host", "master", "lan", "up");
    await ip("address", "add", `${lan.network}.1/24`, "dev", device);
    await ip("link", "set", device, "up");
    return lan;
  }

  /** Name of a host's namespace. */
  namespace(host: string): string {
    return `ne${this.#id}-${host}`;
  }

  /** Address of a host. */
  address(host: string): string {
    return this.#hosts.get(host)!;
  }

  get hosts(): string[] {
    return [...this.#hosts.keys()];
  }

  /** @param last byte of the host's address */
  async addHost(host: string, last: number): Promise<void> {
    const [bridge, own] = [this.namespace("lan"), this.namespace(host)];
    this.#hosts.set(host, `${this.network}.${last}`);
    await ip("netns", "add", own);
    const peer = ["peer", "name", "eth0", "netns", own];
    await ip("-n", bridge, "link", "add", host, "type", "veth", ...peer);
    await ip("-n", bridge, "link", "set", host, "master", "lan", "up");
    await ip("-n", own, "address", "add", `${this.network}.${last}/24`, "dev", "eth0");
    await ip("-n", own, "link", "set", "eth0", "up");
    await ip("-n", own, "link", "set", "lo", "up");
    // Addresses of Services need a route before they are translated.
    await ip("-n", own, "route", "add", "default", "dev", "eth0");
    await run(
      "nsenter",
      [`--net=/run/netns/${own}`, "sysctl", "-qw", "net.ipv4.ip_forward=1"],
      "/",
    );
  }

  /** Leads a network of pods to the host that has them, for all hosts and this machine. */
  async route(network: string, to: string): Promise<void> {
    for (const host of this.hosts) {
      if (host === to) continue;
      await ip("-n", this.namespace(host), "route", "add", network, "via", this.address(to));
    }
  }

  /** Cuts a host off, or joins it again. */
  async setLink(host: string, up: boolean): Promise<void> {
    await ip("-n", this.namespace("lan"), "link", "set", host, up ? "up" : "down");
  }

  /** A command line that runs in a host's namespace, which unlike `ip netns exec` leaves /sys alone. */
  inside(host: string, command: string, args: readonly string[]): [string, string[]] {
    return ["nsenter", [`--net=/run/netns/${this.namespace(host)}`, command, ...args]];
  }

  async remove(): Promise<void> {
    await ip("link", "delete", `ne${this.#id}`).catch(() => {});
    for (const host of [...this.hosts, "lan"]) {
      await ip("netns", "delete", this.namespace(host)).catch(() => {});
    }
  }
}

function ip(...args: string[]): Promise<string> {
  return run("ip", args, "/");
}
