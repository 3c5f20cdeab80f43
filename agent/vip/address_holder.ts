import { dirname } from "node:path";
import ipaddr from "ipaddr.js";
import { messageOf } from "../../common/errors.ts";
import type { Logger } from "../../common/log.ts";
import type { InterfaceAddress, System } from "../system/system.ts";

/** Announcements of an address that came here, and milliseconds between them: some are lost. */
const ANNOUNCEMENTS = 5;
const INTERVAL = 1_000;

/**
 * Puts addresses on this node's interfaces and takes them off again. An address that an interface has
 * already is left as it is, also later. What was put there is on disk, so that the next start knows it.
 */
export class AddressHolder {
  readonly #system: System;
  readonly #path: string;
  readonly #log: Logger;
  /** Interface by address: what we put there. */
  readonly #placed: Map<string, string>;
  #problems = new Map<string, string>();
  /** What was to be here last. */
  #wanted: ReadonlySet<string> = new Set();
  #work: Promise<void> = Promise.resolve();
  readonly #timers = new Set<ReturnType<typeof setTimeout>>();

  private constructor(
    system: System,
    path: string,
    placed: Map<string, string>,
    log: Logger,
  ) {
    this.#system = system;
    this.#path = path;
    this.#placed = placed;
    this.#log = log;
  }

  /** @param path of the file that says what was put on interfaces */
  static async open(system: System, path: string, log: Logger): Promise<AddressHolder> {
    const placed = new Map<string, string>();
    try {
      const known = JSON.parse(await Deno.readTextFile(path)) as InterfaceAddress[];
      for (const { address, interface: device } of known) placed.set(address, device);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) {
        log.warn({ path, error: messageOf(error) }, "cannot read which addresses were placed");
      }
    }
    return new AddressHolder(system, path, placed, log);
  }

  /** The addresses that are here because of us, or were when they were first wanted. */
  get held(): string[] {
    return [...this.#wanted].filter((address) => !this.#problems.has(address));
  }

  /** Those of some addresses that an interface of this node has. */
  present(addresses: ReadonlySet<string>): Set<string> {
    return new Set([...addresses].filter((address) => this.#has(address)));
  }

  /** Why addresses that should be here are not, by address. */
  get problems(): ReadonlyMap<string, string> {
    return this.#problems;
  }

  /** Brings the interfaces in line; resolves when all was tried. */
  hold(wanted: ReadonlySet<string>): Promise<void> {
    this.#work = this.#work.then(() => this.#hold(wanted));
    return this.#work;
  }

  /** Ends announcements; the addresses stay, for traffic goes on. */
  stop(): void {
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
  }

  async #hold(wanted: ReadonlySet<string>): Promise<void> {
    this.#problems = new Map();
    let changed = false;
    for (const [address, device] of this.#placed) {
      if (wanted.has(address)) continue;
      try {
        if (this.#has(address)) await this.#system.removeAddress({ address, interface: device });
        this.#log.info({ address, interface: device }, "address given up");
      } catch (error) {
        this.#log.warn({ address, reason: messageOf(error) }, "cannot take an address off");
        continue;
      }
      this.#placed.delete(address);
      changed = true;
    }
    const before = this.#wanted;
    this.#wanted = wanted;
    for (const address of wanted) {
      if (this.#has(address)) {
        // It was left here by an earlier run, and neighbours may have learnt another place meanwhile.
        const device = before.has(address) ? undefined : this.#placed.get(address);
        if (device !== undefined) this.#announce({ address, interface: device }, ANNOUNCEMENTS);
        continue;
      }
      try {
        const device = await this.#system.interfaceFor(address);
        this.#placed.set(address, device);
        // What is on disk is taken off one day; what is not would stay for ever.
        await this.#save();
        await this.#system.addAddress({ address, interface: device });
        this.#log.info({ address, interface: device }, "address held");
        this.#announce({ address, interface: device }, ANNOUNCEMENTS);
      } catch (error) {
        this.#problems.set(address, messageOf(error));
        this.#log.error({ address, reason: messageOf(error) }, "cannot hold an address");
      }
    }
    if (changed) await this.#save();
  }

  /** Whether an interface has the address. */
  #has(address: string): boolean {
    const parsed = ipaddr.parse(address);
    if (parsed.range() === "loopback") return true;
    const text = parsed.toString();
    return this.#system.addresses().some((each) =>
      ipaddr.isValid(each.address) && ipaddr.parse(each.address).toString() === text
    );
  }

  #announce(at: InterfaceAddress, times: number): void {
    if (this.#placed.get(at.address) !== at.interface) return;
    try {
      this.#system.announce(at);
    } catch (error) {
      this.#log.warn({ ...at, reason: messageOf(error) }, "cannot announce an address");
      return;
    }
    if (times === 1) return;
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      this.#announce(at, times - 1);
    }, INTERVAL);
    this.#timers.add(timer);
  }

  async #save(): Promise<void> {
    const list = [...this.#placed].map(([address, device]) => ({ address, interface: device }));
    const text = JSON.stringify(list);
    await Deno.mkdir(dirname(this.#path), { recursive: true });
    await Deno.writeTextFile(`${this.#path}.new`, text);
    await Deno.rename(`${this.#path}.new`, this.#path);
  }
}
