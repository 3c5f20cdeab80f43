import assert from "node:assert/strict";
import { CollectedFaults } from "../../tests/support/faults.ts";
import { type Contained, contained } from "./containment.ts";
import { type Deadlined, Ticker } from "./ticker.ts";
import { TurnEnd } from "./turn_end.ts";

/** Runs something and returns the messages of the faults that it caused. */
function faultsOf(run: () => void): string[] {
  using collected = new CollectedFaults();
  run();
  return collected.messages;
}

class Part implements Deadlined {
  deadline = 10;
  tickerSlot = -1;
  flushDue = false;
  ended = 0;
  ran = 0;
  constructor(readonly broken: boolean, readonly stubborn = false) {}
  onDeadline(): void {
    this.ran++;
    if (this.broken) throw new Error("broken");
  }
  flush(): void {
    this.onDeadline();
  }
  onFault(): void {
    this.ended++;
    if (this.stubborn) throw new Error("stubborn");
  }
}

Deno.test("an exception in one timer ends what it belongs to, and the others run", () => {
  const ticker = new Ticker();
  const parts = [new Part(false), new Part(true), new Part(false), new Part(true, true)];
  for (const part of parts) ticker.add(part);
  assert.deepEqual(faultsOf(() => ticker.tick(10)), ["broken", "stubborn", "broken"]);
  assert.deepEqual(parts.map(({ ran }) => ran), [1, 1, 1, 1]);
  assert.deepEqual(parts.map(({ ended }) => ended), [0, 1, 0, 1]);
});

Deno.test("an exception at the end of a turn ends one connection, and the others write", () => {
  const turnEnd = new TurnEnd(() => {});
  const parts = [new Part(true), new Part(false)];
  for (const part of parts) turnEnd.add(part);
  assert.deepEqual(faultsOf(() => turnEnd.run()), ["broken"]);
  assert.deepEqual(parts.map(({ ran, ended }) => [ran, ended]), [[1, 1], [1, 0]]);
});

Deno.test("an exception does not leave a contained callback", () => {
  const part: Contained = new Part(false);
  const thrown = faultsOf(() =>
    contained(part, () => {
      throw new Error("thrown");
    })
  );
  assert.deepEqual(thrown, ["thrown"]);
});
