import assert from "node:assert/strict";
import { CollectedFaults } from "../../tests/support/faults.ts";
import type { ClientShare } from "./client_shares.ts";
import { ClientShares } from "./client_shares.ts";
import { ClientTurns, type HeldConnection, REQUESTS } from "./client_turns.ts";
import { Overload } from "./overload.ts";

class Scene {
  readonly clients = new ClientShares(new Overload());
  readonly #due: (() => void)[] = [];
  readonly turns = new ClientTurns(this.clients, (run) => void this.#due.push(run));
  /** Names of the connections in the order in which they went on. */
  readonly wentOn: string[] = [];
  readonly ended: string[] = [];

  connection(name: string, share: ClientShare, goOn: () => void = () => {}): HeldConnection {
    return {
      share,
      goOn: () => {
        this.wentOn.push(name);
        goOn();
      },
      onFault: () => void this.ended.push(name),
    };
  }

  begin(share: ClientShare, requests: number): void {
    for (let i = 0; i < requests; i++) this.turns.begun(share);
  }

  /** Others have had their turn; returns whether another turn is due. */
  next(): boolean {
    for (const run of this.#due.splice(0)) run();
    return this.#due.length > 0;
  }
}

Deno.test("a client that is alone begins all its requests at once", () => {
  const { turns, clients } = new Scene();
  const share = clients.hold("192.0.2.1");
  for (let i = 0; i < 10 * REQUESTS; i++) assert.equal(turns.begun(share), false);
  assert.equal(turns.isOver(share), false);
});

Deno.test("each of two clients begins so many requests a turn, on all its connections together", () => {
  const scene = new Scene();
  const { turns, clients } = scene;
  const [heavy, light] = [clients.hold("192.0.2.1"), clients.hold("192.0.2.2")];
  scene.begin(heavy, REQUESTS - 1);
  assert.equal(turns.isOver(heavy), false);
  assert.equal(turns.begun(heavy), true, "the last one of the turn");
  assert.deepEqual([turns.isOver(heavy), turns.isOver(light)], [true, false]);
  assert.equal(turns.begun(light), false);
  turns.hold(scene.connection("a", heavy, () => scene.begin(heavy, REQUESTS)));
  turns.hold(scene.connection("b", heavy));
  turns.hold(scene.connection("c", light));
  assert.equal(scene.next(), true);
  assert.deepEqual(scene.wentOn, ["a", "c"], "the turn is used up, another client's is not");
  assert.equal(scene.next(), false);
  assert.deepEqual(scene.wentOn, ["a", "c", "b"]);
});

Deno.test("connections of trusted proxies carry many clients and do not wait", () => {
  const { turns, clients } = new Scene();
  clients.hold("192.0.2.1");
  clients.hold("192.0.2.2");
  for (let i = 0; i < 2 * REQUESTS; i++) assert.equal(turns.begun(clients.proxies), false);
});

Deno.test("an exception in one connection's turn ends it, and the others go on", () => {
  using faults = new CollectedFaults();
  const scene = new Scene();
  const { turns, clients } = scene;
  const [heavy] = [clients.hold("192.0.2.1"), clients.hold("192.0.2.2")];
  scene.begin(heavy, REQUESTS);
  turns.hold(scene.connection("broken", heavy, () => {
    throw new Error("broken");
  }));
  turns.hold(scene.connection("whole", heavy));
  scene.next();
  assert.deepEqual([scene.wentOn, scene.ended], [["broken", "whole"], ["broken"]]);
  assert.deepEqual(faults.messages, ["broken"]);
});
