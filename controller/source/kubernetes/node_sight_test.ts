import assert from "node:assert/strict";
import type { ApiObject } from "./api_client.ts";
import { NodeSight } from "./node_sight.ts";

const MINUTE = 60_000;

/** What is handed on as time goes by. */
class Scene {
  now = 1_000;
  readonly handed: string[] = [];
  readonly #timers = new Map<number, { at: number; what: () => void }>();
  #next = 1;
  readonly sight = new NodeSight({
    hand: (node) => {
      const { conditions } = node.status as { conditions: { type: string; status: string }[] };
      const status = conditions.find(({ type }) => type === "Ready")?.status;
      this.handed.push(`${node.metadata.name} ${status}`);
    },
    now: () => this.now,
    later: (milliseconds, what) => {
      const id = this.#next++;
      this.#timers.set(id, { at: this.now + milliseconds, what });
      return () => void this.#timers.delete(id);
    },
  });

  see(status: string, changed: string, name = "a"): string {
    this.sight.see({
      metadata: { name, resourceVersion: "1" },
      status: {
        conditions: [
          { type: "DiskPressure", status: "False", lastTransitionTime: "0" },
          { type: "Ready", status, lastTransitionTime: changed },
        ],
      },
    } as unknown as ApiObject);
    return this.handed.pop()!;
  }

  pass(milliseconds: number): string[] {
    this.now += milliseconds;
    this.handed.length = 0;
    for (const [id, { at, what }] of [...this.#timers]) {
      if (at > this.now) continue;
      this.#timers.delete(id);
      what();
    }
    return this.handed;
  }
}

Deno.test("a node that was out of sight stays so for a minute after it is back", () => {
  const scene = new Scene();
  assert.equal(scene.see("True", "1"), "a True");
  assert.equal(scene.see("Unknown", "2"), "a Unknown");
  assert.deepEqual(scene.pass(10 * MINUTE), [], "as long as it takes");
  assert.equal(scene.see("True", "3"), "a Unknown");
  assert.deepEqual(scene.pass(MINUTE - 1), []);
  assert.equal(scene.see("True", "3"), "a Unknown", "what else changes does not make it longer");
  assert.deepEqual(scene.pass(1), ["a True"]);
  assert.equal(scene.see("True", "3"), "a True");
});

Deno.test("what a node in sight says of itself counts at once", () => {
  const scene = new Scene();
  scene.see("True", "1");
  assert.equal(scene.see("False", "2"), "a False");
  assert.equal(scene.see("True", "3"), "a True");
});

Deno.test("bug: a kubelet that was back said that it was not ready, and its pods served no more", () => {
  const scene = new Scene();
  scene.see("Unknown", "1");
  assert.equal(scene.see("False", "2"), "a Unknown", "its runtime is down, it says at first");
  assert.equal(scene.see("True", "3"), "a Unknown");
  assert.deepEqual(scene.pass(MINUTE), ["a True"]);
  scene.see("Unknown", "4");
  scene.see("False", "5");
  assert.deepEqual(scene.pass(MINUTE), ["a False"], "it means it");
});

Deno.test("a node that was away while nobody looked shows it by the time of its last change", () => {
  const scene = new Scene();
  assert.equal(scene.see("True", "1"), "a True", "nothing was known of it before");
  assert.equal(scene.see("True", "2"), "a Unknown");
  assert.deepEqual(scene.pass(MINUTE), ["a True"]);
});

Deno.test("a node that is gone and one of its name that comes have nothing in common", () => {
  const scene = new Scene();
  scene.see("Unknown", "1");
  scene.sight.forget("a");
  assert.equal(scene.see("True", "2"), "a True");
});

Deno.test("a node without a condition is handed on as it is", () => {
  const handed: unknown[] = [];
  const hand = (node: unknown) => void handed.push(node);
  const sight = new NodeSight({ hand, now: () => 0, later: () => assert.fail() });
  const node = { metadata: { name: "a", resourceVersion: "1" } } as unknown as ApiObject;
  sight.see(node);
  assert.deepEqual(handed, [node]);
});
