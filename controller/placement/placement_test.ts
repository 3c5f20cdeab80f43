import assert from "node:assert/strict";
import type { Node } from "../../api/core.ts";
import { Vip } from "../../proto/gen/novaedge/v1/config.ts";
import { DOUBT, LOST_AFTER, Placement } from "./placement.ts";
import { holderOf } from "./rendezvous.ts";

function node(labels: Record<string, string> = {}, addresses: string[] = [], ready = "True"): Node {
  return {
    apiVersion: "v1",
    kind: "Node",
    metadata: { name: "n", labels },
    status: {
      addresses: addresses.map((address) => ({ type: "InternalIP", address })),
      conditions: [{ type: "Ready", status: ready }],
    },
  };
}

/** Holders by address, as the last settlements left them. */
class Holders extends Map<string, string> {
  settle(placement: Placement, now: number): number {
    const updates = placement.settle(now);
    for (const { name, resource } of updates) {
      if (resource === null) this.delete(name);
      else this.set(name, Vip.decode(resource.body).node);
    }
    return updates.length;
  }
}

const EDGE = { addresses: ["192.0.2.1"], earlier: ["192.0.2.1"], nodeSelector: {} };
const LATER = 2 * LOST_AFTER;

Deno.test("one node of the placement holds an address, another one when it is lost", () => {
  const placement = new Placement(0);
  const holders = new Holders();
  for (const name of ["a", "b", "c"]) placement.setNode(name, node());
  placement.setGateway("Gateway/x/y", EDGE);
  const alive = (...names: string[]) => names.forEach((name) => placement.heard(name, LATER));
  alive("a", "b", "c");
  holders.settle(placement, LATER);
  const first = holders.get("192.0.2.1")!;
  assert.equal(holders.settle(placement, LATER), 0, "nothing changed");
  const others = ["a", "b", "c"].filter((name) => name !== first);
  others.forEach((name) => placement.heard(name, LATER + LOST_AFTER - 1));
  holders.settle(placement, LATER + LOST_AFTER - 1);
  assert.equal(holders.get("192.0.2.1"), first, "not lost yet");
  holders.settle(placement, LATER + LOST_AFTER);
  assert.ok(others.includes(holders.get("192.0.2.1")!));
  assert.deepEqual(placement.nodesOf("Gateway/x/y", LATER + LOST_AFTER).sort(), others);
  placement.heard(first, LATER + LOST_AFTER);
  assert.equal(holders.settle(placement, LATER + LOST_AFTER), 0, "it is back, and nothing moves");
});

Deno.test("a controller that takes over asks who holds an address before it decides", () => {
  const placement = new Placement(0);
  const holders = new Holders();
  placement.setNode("a", node());
  placement.setNode("b", node());
  placement.setNode("broken", node({}, [], "False"));
  placement.setGateway("Gateway/x/y", EDGE);
  placement.begin(LATER);
  const chosen = holderOf("192.0.2.1", ["a", "b"])!;
  const other = chosen === "a" ? "b" : "a";
  placement.heard(chosen, LATER);
  holders.settle(placement, LATER);
  assert.equal(holders.get("192.0.2.1"), "", "the other one may have it");
  placement.heard(other, LATER + 1);
  placement.adopt(other, ["192.0.2.1"]);
  holders.settle(placement, LATER + 1);
  assert.equal(holders.get("192.0.2.1"), other, "it has it, and keeps it");
  placement.adopt(chosen, ["192.0.2.1"]);
  assert.equal(holders.settle(placement, LATER + 2), 0, "who comes later does not get it");
});

Deno.test("bug: addresses that were given while another controller led moved when this one took over", () => {
  const placement = new Placement(0);
  const holders = new Holders();
  placement.setNode("a", node());
  placement.setNode("b", node());
  // Its status had no addresses yet when this controller, not leading, saw it.
  placement.setGateway("Gateway/x/y", { ...EDGE, earlier: [] });
  placement.begin(LATER);
  placement.heard("a", LATER);
  holders.settle(placement, LATER);
  assert.equal(holders.get("192.0.2.1"), "", "b may have it");
  placement.heard("b", LATER + 1);
  placement.adopt("b", ["192.0.2.1"]);
  holders.settle(placement, LATER + 1);
  assert.equal(holders.get("192.0.2.1"), "b");
});

Deno.test("a node that never comes is waited for no longer than some seconds", () => {
  const placement = new Placement(0);
  const holders = new Holders();
  placement.setNode("a", node());
  placement.setNode("b", node());
  placement.setGateway("Gateway/x/y", EDGE);
  placement.setGateway("Gateway/x/new", { ...EDGE, addresses: ["192.0.2.2"] });
  placement.heard("a", 1_000);
  holders.settle(placement, DOUBT - 1);
  assert.equal(holders.get("192.0.2.1"), "");
  assert.equal(holders.get("192.0.2.2"), "a", "nobody can have had it");
  holders.settle(placement, DOUBT);
  assert.equal(holders.get("192.0.2.1"), "a");
});

Deno.test("bug: nodes that the cluster had not heard of for a minute kept their addresses", () => {
  const placement = new Placement(0);
  const holders = new Holders();
  for (const name of ["a", "b", "c"]) placement.setNode(name, node());
  placement.setGateway("Gateway/x/y", EDGE);
  for (const name of ["a", "b", "c"]) placement.heard(name, LATER);
  holders.settle(placement, LATER);
  const holder = holders.get("192.0.2.1")!;
  // After an outage of the API server all nodes are unknown for a moment.
  placement.setNode(holder, node({}, [], "Unknown"));
  assert.equal(holders.settle(placement, LATER), 0);
});

Deno.test("bug: an address moved off a node whose agent was there when its kubelet had been away", () => {
  const placement = new Placement(0);
  const holders = new Holders();
  for (const name of ["a", "b", "c"]) placement.setNode(name, node());
  placement.setGateway("Gateway/x/y", EDGE);
  for (const name of ["a", "b", "c"]) placement.heard(name, LATER);
  holders.settle(placement, LATER);
  const holder = holders.get("192.0.2.1")!;
  // A kubelet that was stopped says at first that its container runtime is down.
  placement.setNode(holder, node({}, [], "False"));
  assert.equal(holders.settle(placement, LATER), 0);
  assert.ok(!placement.nodesOf("Gateway/x/y", LATER).includes(holder));
  // Nothing new comes to it.
  placement.left(holder);
  holders.settle(placement, LATER);
  placement.heard(holder, LATER);
  assert.notEqual(holders.get("192.0.2.1"), holder);
  assert.equal(holders.settle(placement, LATER), 0);
});

Deno.test("labels decide who serves; without a node the address is nobody's", () => {
  const placement = new Placement(0);
  const holders = new Holders();
  placement.setNode("a", node({ role: "edge" }));
  placement.setNode("b", node());
  placement.setGateway("Gateway/x/y", { ...EDGE, nodeSelector: { role: "edge" } });
  for (const name of ["a", "b"]) placement.heard(name, LATER);
  holders.settle(placement, LATER);
  assert.equal(holders.get("192.0.2.1"), "a");
  assert.deepEqual([placement.serves("a", "Gateway/x/y"), placement.serves("b", "Gateway/x/y")], [
    true,
    false,
  ]);
  placement.setNode("a", node());
  holders.settle(placement, LATER);
  assert.equal(holders.get("192.0.2.1"), "");
  placement.setGateway("Gateway/x/y", null);
  holders.settle(placement, LATER);
  assert.equal(holders.size, 0);
});

Deno.test("a node's own address is held by that node", () => {
  const placement = new Placement(0);
  const holders = new Holders();
  for (const [name, address] of [["a", "10.0.0.1"], ["b", "10.0.0.2"], ["c", "10.0.0.3"]]) {
    placement.setNode(name, node({}, [address]));
    placement.heard(name, LATER);
  }
  placement.setGateway("Gateway/x/y", { ...EDGE, addresses: ["10.0.0.1", "10.0.0.2", "10.0.0.3"] });
  holders.settle(placement, LATER);
  assert.deepEqual([...holders.values()], ["a", "b", "c"]);
});

Deno.test("when a candidate goes, only what it held moves", () => {
  const candidates = ["a", "b", "c", "d"];
  for (let i = 0; i < 500; i++) {
    const before = holderOf(`192.0.2.${i}`, candidates)!;
    const after = holderOf(`192.0.2.${i}`, candidates.filter((name) => name !== "c"))!;
    if (before !== "c") assert.equal(after, before);
  }
  assert.equal(holderOf("x", []), null);
});
