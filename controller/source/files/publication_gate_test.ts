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
      return { wanted: new Set(), accepted: [], held: new Map() };
    },
    touched() {},
    publish: () => events.push("publish"),
  });
  const handOn = (changes: SourceChange[], withheld: boolean) => {
    gate.take(changes, withheld);
    gate.publish([]);
  };
  gate.remember([removal("before")]);
  handOn([removal("a")], true);
  assert.deepEqual(events, [], "nothing before the first publication");
  handOn([removal("b")], false);
  handOn([removal("c")], true);
  handOn([removal("c"), removal("d")], true);
  handOn([], false);
  assert.deepEqual(events, [
    ...["take before", "take a,b", "publish", "publish", "publish", "take c,d", "publish"],
  ]);
});
