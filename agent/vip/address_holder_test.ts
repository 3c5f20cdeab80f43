import assert from "node:assert/strict";
import { join } from "node:path";
import type { InterfaceAddress, System } from "../system/system.ts";
import { createLogger } from "../../common/log.ts";
import { AddressHolder } from "./address_holder.ts";

/** A node with one interface. */
class FakeSystem implements System {
  readonly held: InterfaceAddress[] = [{ address: "10.0.0.1", interface: "eth0" }];
  readonly announced: string[] = [];
  refuse = "";

  addresses() {
    return this.held;
  }
  interfaceFor() {
    return Promise.resolve("eth0");
  }
  addAddress(at: InterfaceAddress) {
    if (at.address === this.refuse) return Promise.reject(new Error("not permitted"));
    this.held.push(at);
    return Promise.resolve();
  }
  removeAddress({ address }: InterfaceAddress) {
    this.held.splice(this.held.findIndex((at) => at.address === address), 1);
    return Promise.resolve();
  }
  announce({ address }: InterfaceAddress) {
    this.announced.push(address);
  }
}

async function withHolder(
  body: (system: FakeSystem, open: () => Promise<AddressHolder>) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir();
  const opened: AddressHolder[] = [];
  const system = new FakeSystem();
  try {
    await body(system, async () => {
      const holder = await AddressHolder.open(
        system,
        join(folder, "addresses"),
        createLogger("agent", "silent"),
      );
      opened.push(holder);
      return holder;
    });
  } finally {
    for (const holder of opened) holder.stop();
    await Deno.remove(folder, { recursive: true });
  }
}

const addresses = (system: FakeSystem) => system.held.map(({ address }) => address);

Deno.test("addresses come, are announced and go; a restart knows which were put there", () =>
  withHolder(async (system, open) => {
    const first = await open();
    await first.hold(new Set(["192.0.2.1", "192.0.2.2"]));
    assert.deepEqual(addresses(system), ["10.0.0.1", "192.0.2.1", "192.0.2.2"]);
    assert.deepEqual(system.announced, ["192.0.2.1", "192.0.2.2"]);
    first.stop();
    const second = await open();
    await second.hold(new Set(["192.0.2.2"]));
    assert.deepEqual(addresses(system), ["10.0.0.1", "192.0.2.2"]);
    assert.deepEqual(system.announced.slice(2), ["192.0.2.2"], "others may have had it meanwhile");
  }));

Deno.test("what is not on an interface is not present, whatever was held before", () =>
  withHolder(async (system, open) => {
    const holder = await open();
    await holder.hold(new Set(["192.0.2.1"]));
    assert.deepEqual([...holder.present(new Set(["192.0.2.1", "192.0.2.2"]))], ["192.0.2.1"]);
    // The node was switched off and on.
    system.held.splice(1);
    assert.deepEqual([...(await open()).present(new Set(["192.0.2.1"]))], []);
  }));

Deno.test("an address that the node has by itself is left alone for ever", () =>
  withHolder(async (system, open) => {
    const holder = await open();
    await holder.hold(new Set(["10.0.0.1", "127.0.0.5"]));
    await holder.hold(new Set());
    assert.deepEqual(addresses(system), ["10.0.0.1"]);
  }));

Deno.test("an address that cannot be held is a problem of its own and is tried again", () =>
  withHolder(async (system, open) => {
    const holder = await open();
    system.refuse = "192.0.2.1";
    await holder.hold(new Set(["192.0.2.1", "192.0.2.2"]));
    assert.deepEqual([...holder.problems], [["192.0.2.1", "not permitted"]]);
    assert.deepEqual(addresses(system), ["10.0.0.1", "192.0.2.2"]);
    system.refuse = "";
    await holder.hold(new Set(["192.0.2.1", "192.0.2.2"]));
    assert.deepEqual([...holder.problems], []);
    assert.ok(addresses(system).includes("192.0.2.1"));
  }));
