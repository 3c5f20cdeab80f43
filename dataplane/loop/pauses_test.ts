import assert from "node:assert/strict";
import { Pauses } from "./pauses.ts";

/** Pauses whose time the test drives. */
class Scene {
  readonly #due: (() => void)[] = [];
  now = 0;
  readonly pauses = new Pauses({
    immediately: (run) => void this.#due.push(run),
    after: (_, run) => void this.#due.push(run),
    now: () => this.now,
  });
  readonly order: string[] = [];

  get waits(): boolean {
    return this.#due.length > 0;
  }

  /** What comes next: two immediates, then a timer that takes so many milliseconds. */
  step(milliseconds = 0): void {
    assert.equal(this.#due.length, 1, "one at a time");
    this.now += milliseconds;
    this.#due.pop()!();
  }

  /** A pause in which the thread was idle. */
  end(): void {
    this.step();
    this.step();
    this.step(1.2);
  }
}

Deno.test("bug: two pieces of work with a timer each left no moment in which the thread was idle", () => {
  const scene = new Scene();
  const { pauses, order } = scene;
  const compress = () => {
    order.push("compress");
    if (order.length < 5) pauses.do(compress);
  };
  pauses.do(compress);
  pauses.do(() => void order.push("read"));
  scene.end();
  assert.deepEqual(order, ["compress"], "the other one is behind a pause of its own");
  scene.end();
  assert.deepEqual(order, ["compress", "read"]);
  while (scene.waits) scene.end();
  assert.deepEqual(order, ["compress", "read", "compress", "compress", "compress"]);
});

Deno.test("bug: a pause counted although the thread had no core, or something else to do, meanwhile", () => {
  const scene = new Scene();
  scene.pauses.do(() => void scene.order.push("done"));
  scene.step();
  scene.step();
  scene.step(4);
  assert.deepEqual(scene.order, []);
  scene.step(1.2);
  assert.deepEqual(scene.order, ["done"]);
});

Deno.test("work goes on in the end on a thread that is never idle", () => {
  const scene = new Scene();
  scene.pauses.do(() => void scene.order.push("done"));
  scene.step();
  scene.step();
  for (let i = 0; i < 3; i++) scene.step(4);
  assert.deepEqual(scene.order, []);
  scene.step(4);
  assert.deepEqual(scene.order, ["done"]);
});

Deno.test("a fault of one does not take the place of the others", () => {
  const scene = new Scene();
  scene.pauses.do(() => {
    throw new Error("fault");
  });
  scene.pauses.do(() => void scene.order.push("next"));
  assert.throws(() => scene.end(), { message: "fault" });
  scene.end();
  assert.deepEqual(scene.order, ["next"]);
  assert.equal(scene.waits, false);
});
