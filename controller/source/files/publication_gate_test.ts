import assert from "node:assert/strict";
import type { SourceChange } from "../../translate/source_object.ts";
import { PublicationGate } from "./publication_gate.ts";

function removal(name: string): SourceChange {
  return { key: { kind: "ProxyRoute", namespace: "default", name }, object: null };
}

Deno.test("changes that are withheld are published together, once nothing withholds them", () => {
  const events: string[] = [];
  const gate = new PublicationGate({
    take(changes) {
      events.push(`take ${changes.map(({ key }) => key.name).join()}`);
      return new Set();
    },
    touched() {},
    publish: () => events.push("publish"),
  });
  gate.handOn([removal("a")], [], true);
  assert.deepEqual(events, [], "nothing before the first publication");
  gate.handOn([removal("b")], [], false);
  gate.handOn([removal("c")], [], true);
  gate.handOn([removal("c"), removal("d")], [], true);
  gate.handOn([], [], false);
  assert.deepEqual(events, [
    ...["take a,b", "publish", "take ", "publish", "take ", "publish", "take c,d", "publish"],
  ]);
});
