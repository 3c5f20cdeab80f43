import assert from "node:assert/strict";
import fc from "fast-check";
import type { Delta, Refusal } from "../../proto/gen/novaedge/v1/distribution.ts";
import { DeltaSender } from "./delta_sender.ts";
import { ResourceStore } from "./resource_store.ts";
import { compareVersions, keyOf, Kind, type Resource, versionText } from "./resources.ts";

const resource = (name: string, hash: string, kind = Kind.KIND_ROUTE) =>
  ({ kind, name, hash, body: new Uint8Array() }) as unknown as Resource;

/** Whether the receiver of these tests refuses a version. */
const bad = (hash: string) => hash.startsWith("bad");

/** A receiver as agents are: applies all but what it refuses, and says so. */
class Receiver {
  readonly store = new ResourceStore();

  take(delta: Delta): Refusal[] {
    const refused = delta.upserts.filter(({ hash }) => bad(hash));
    this.store.apply({ ...delta, upserts: delta.upserts.filter(({ hash }) => !bad(hash)) });
    return refused.map(({ kind, name, hash }) => ({
      resource: { kind, name, hash },
      reason: "bad",
    }));
  }
}

function setup(held: readonly Resource[] = []) {
  const view = new ResourceStore();
  const receiver = new Receiver();
  for (const each of held) receiver.store.set(each);
  return { view, receiver, connect: () => new DeltaSender(view, receiver.store.refs()) };
}

/** Sends until there is nothing left; returns the number of deltas. */
function drain(sender: DeltaSender, receiver: Receiver): number {
  let count = 0;
  for (let delta = sender.next(); delta !== null; delta = sender.next()) {
    assert.ok(++count < 10, "the sender never comes to rest");
    assert.ok(sender.acknowledge(delta.nonce, delta.version!, receiver.take(delta)));
  }
  return count;
}

const hashes = (store: ResourceStore) =>
  new Map([...store.values()].map((r) => [keyOf(r), r.hash]));

Deno.test("the first delta is sent even when empty, later ones only with content", () => {
  const { view, receiver, connect } = setup();
  const sender = connect();
  assert.equal(drain(sender, receiver), 1);
  sender.changed(["5|unknown"]);
  assert.equal(sender.next(), null);
  view.set(resource("a", "1"));
  sender.changed([keyOf(resource("a", "1"))]);
  assert.equal(drain(sender, receiver), 1);
});

Deno.test("a peer that holds everything gets nothing, one that holds too much loses it", () => {
  const { view, receiver, connect } = setup([resource("a", "1"), resource("old", "1")]);
  view.set(resource("a", "1"));
  view.set(resource("b", "1"));
  const delta = connect().next()!;
  assert.deepEqual(delta.upserts.map(({ name }) => name), ["b"]);
  assert.deepEqual(delta.removals.map(({ name }) => name), ["old"]);
  receiver.take(delta);
  assert.deepEqual(hashes(receiver.store), hashes(view));
});

Deno.test("one delta is in flight at a time; what changes meanwhile joins the next", () => {
  const { view, connect } = setup();
  const sender = connect();
  const first = sender.next()!;
  for (const name of ["a", "b"]) {
    view.set(resource(name, "1"));
    sender.changed([keyOf(resource(name, "1"))]);
    assert.equal(sender.next(), null);
  }
  assert.equal(sender.acknowledge(first.nonce + 1, first.version!), false, "not awaited");
  assert.equal(sender.pending, true);
  assert.equal(sender.acknowledge(first.nonce, first.version!), true);
  assert.equal(sender.next()!.upserts.length, 2);
});

Deno.test("a refused version is not sent again, a new one of the same resource is", () => {
  const { view, receiver, connect } = setup();
  const sender = connect();
  const key = keyOf(resource("a", ""));
  const edit = (hash: string) => {
    view.set(resource("a", hash));
    sender.changed([key]);
    return drain(sender, receiver);
  };
  drain(sender, receiver);
  edit("1");
  edit("bad1");
  assert.equal(receiver.store.get(key)!.hash, "1", "the last accepted version stays");
  sender.changed([key]);
  assert.equal(sender.next(), null);
  edit("2");
  assert.equal(receiver.store.get(key)!.hash, "2");
  edit("bad2");
  view.delete(key);
  sender.changed([key]);
  drain(sender, receiver);
  assert.equal(receiver.store.get(key), undefined, "what was refused last is removed all the same");
});

Deno.test("what others refer to comes first, and leaves last", () => {
  const kinds = [Kind.KIND_GATEWAY, Kind.KIND_ROUTE, Kind.KIND_BACKEND, Kind.KIND_CERTIFICATE];
  const held = kinds.map((kind) => resource("old", "1", kind));
  const { view, connect } = setup(held);
  for (const kind of kinds) view.set(resource("new", "1", kind));
  const delta = connect().next()!;
  assert.deepEqual(delta.upserts.map(({ kind }) => kind), kinds.toReversed());
  assert.deepEqual(delta.removals.map(({ kind }) => kind), kinds);
});

Deno.test("after any edits, answers, refusals and reconnects the peer has the state minus what it refused", () => {
  const step = fc.oneof(
    fc.record({
      do: fc.constant("set" as const),
      name: fc.constantFrom("a", "b", "c"),
      hash: fc.constantFrom("1", "2", "3", "bad1", "bad2"),
    }),
    fc.record({ do: fc.constant("delete" as const), name: fc.constantFrom("a", "b", "c") }),
    fc.constant({ do: "send" as const }),
    fc.constant({ do: "answer" as const }),
    fc.constant({ do: "reconnect" as const }),
  );
  fc.assert(fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
    const { view, receiver, connect } = setup([resource("a", "9"), resource("z", "9")]);
    let sender = connect();
    let flying: { delta: Delta; refusals: Refusal[] } | null = null;
    const send = () => {
      const delta = sender.next();
      if (delta !== null) flying = { delta, refusals: receiver.take(delta) };
    };
    const answer = () => {
      if (flying === null) return;
      const { delta, refusals } = flying;
      flying = null;
      assert.ok(sender.acknowledge(delta.nonce, delta.version!, refusals));
    };
    for (const each of steps) {
      if (each.do === "send") send();
      else if (each.do === "answer") answer();
      else if (each.do === "reconnect") {
        // The answer is lost with the stream; the peer says anew what it holds.
        flying = null;
        sender = connect();
      } else {
        const key = keyOf(resource(each.name, ""));
        if (each.do === "set") view.set(resource(each.name, each.hash));
        else view.delete(key);
        view.version = { term: 1, number: view.version.number + 1 };
        sender.changed([key]);
      }
    }
    answer();
    drain(sender, receiver);
    for (const [key, hash] of hashes(view)) {
      const held = receiver.store.get(key)?.hash;
      if (bad(hash)) assert.ok(held === undefined || !bad(held));
      else assert.equal(held, hash);
    }
    for (const key of receiver.store.keys()) assert.notEqual(view.get(key), undefined, key);
  }));
});

Deno.test("versions order by term, then number", () => {
  const order = [[0, 0], [0, 1], [1, 0], [1, 2], [2, 1]].map(([term, number]) => ({
    term,
    number,
  }));
  assert.deepEqual(order.toReversed().sort(compareVersions), order);
  assert.deepEqual([versionText(order[3]), versionText(undefined)], ["1.2", "none"]);
});

Deno.test("a store accepts its own version and newer ones only", () => {
  const store = new ResourceStore();
  store.version = { term: 2, number: 5 };
  assert.equal(store.accepts({ term: 2, number: 5 }), true);
  assert.equal(store.accepts({ term: 3, number: 0 }), true);
  assert.equal(store.accepts({ term: 1, number: 9 }), false);
  assert.equal(store.accepts({ term: 2, number: 4 }), false);
});

Deno.test("apply tells which keys changed, and takes the version over", () => {
  const store = new ResourceStore();
  store.set(resource("a", "1"));
  const changed = store.apply({
    version: { term: 1, number: 7 },
    nonce: 1,
    upserts: [resource("b", "1")],
    removals: [resource("a", "1"), resource("missing", "1")],
  });
  assert.deepEqual(changed, [keyOf(resource("b", "")), keyOf(resource("a", ""))]);
  assert.deepEqual([store.size, store.version.number], [1, 7]);
});
