import assert from "node:assert/strict";
import fc from "fast-check";
import { ApiError, type ApiObject, type RequestOptions, type WatchEvent } from "./api_client.ts";
import { keyOfObject, Reflector, type ReflectorState } from "./reflector.ts";

/** A cluster's objects of one kind, with the history that a watch can begin from. */
class FakeCollection {
  readonly objects = new Map<string, ApiObject>();
  readonly history: WatchEvent[] = [];
  version = 1;
  /** Events before this version are forgotten. */
  compacted = 0;
  /** What the next calls fail with. */
  readonly failures: Error[] = [];
  pageSize = 2;
  lists = 0;
  #wake: () => void = () => {};
  #cut = 0;

  set(name: string, value: number): void {
    const type = this.objects.has(name) ? "MODIFIED" : "ADDED";
    const object = {
      metadata: { name, namespace: "n", resourceVersion: String(++this.version) },
      value,
    };
    this.objects.set(name, object);
    this.#event({ type, object });
  }

  delete(name: string): void {
    const object = this.objects.get(name);
    if (object === undefined) return;
    this.objects.delete(name);
    const metadata = { ...object.metadata, resourceVersion: String(++this.version) };
    this.#event({ type: "DELETED", object: { ...object, metadata } });
  }

  /** Ends the watches that are open. */
  cut(): void {
    this.#cut++;
    this.#wake();
  }

  /** Forgets all that happened, for watches that begin later: those that are open miss nothing. */
  compact(): void {
    this.compacted = this.version;
  }

  #event(event: WatchEvent): void {
    this.history.push(event);
    this.#wake();
  }

  async *pages(_path: string, _options: RequestOptions) {
    this.lists++;
    await Promise.resolve();
    this.#fail();
    const items = [...this.objects.values()];
    const resourceVersion = String(this.version);
    for (let i = 0; i === 0 || i < items.length; i += this.pageSize) {
      yield { items: items.slice(i, i + this.pageSize), resourceVersion };
    }
  }

  async *watch(_path: string, { query, signal }: RequestOptions) {
    await Promise.resolve();
    this.#fail();
    const from = Number(query!.resourceVersion);
    if (from < this.compacted) throw new ApiError(410, "Expired", "too old");
    const cut = this.#cut;
    const version = ({ object }: WatchEvent) => Number(object.metadata.resourceVersion);
    let seen = from;
    signal!.addEventListener("abort", () => this.#wake());
    while (!signal!.aborted && this.#cut === cut) {
      const event = this.history.find((candidate) => version(candidate) > seen);
      if (event !== undefined) {
        seen = version(event);
        yield event;
      } else await new Promise<void>((resolve) => this.#wake = resolve);
    }
  }

  #fail(): void {
    const failure = this.failures.shift();
    if (failure !== undefined) throw failure;
  }
}

/** A reflector that runs, and what it told. */
function follow(collection: FakeCollection) {
  const seen = new Map<string, unknown>();
  const states: ReflectorState[] = [];
  const sleeps: number[] = [];
  const reasons: string[] = [];
  const controller = new AbortController();
  const reflector = new Reflector({
    path: "/x",
    collection,
    random: () => 0.5,
    sleep: (milliseconds) => {
      sleeps.push(milliseconds);
      return new Promise((resolve) => setTimeout(resolve));
    },
    handler: {
      upsert: (object) => seen.set(keyOfObject(object), object.value),
      remove: (key) => seen.delete(key),
      settled: (state) => states.push(state),
      failed: (reason) => reasons.push(reason),
      reached: () => {},
    },
  });
  const ended = reflector.run(controller.signal);
  return {
    seen,
    states,
    sleeps,
    reasons,
    async stop() {
      controller.abort();
      collection.cut();
      await ended;
    },
  };
}

/** Lets all that was started come to rest. */
async function rest(): Promise<void> {
  for (let i = 0; i < 5; i++) await new Promise((resolve) => setTimeout(resolve));
}

const contents = (collection: FakeCollection) =>
  new Map([...collection.objects].map(([name, { value }]) => [`n/${name}`, value]));

Deno.test("a reflector knows what the server has, whatever happens to lists and watches", async () => {
  const step = fc.oneof(
    fc.record({
      what: fc.constant("set" as const),
      name: fc.constantFrom("a", "b", "c", "d", "e"),
    }),
    fc.record({ what: fc.constant("delete" as const), name: fc.constantFrom("a", "b", "c") }),
    fc.record({ what: fc.constantFrom("cut", "compact", "fail", "expire", "rest") }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
      const collection = new FakeCollection();
      const following = follow(collection);
      for (const [i, { what, ...rest_ }] of steps.entries()) {
        const { name = "" } = rest_ as { name?: string };
        if (what === "set") collection.set(name, i);
        else if (what === "delete") collection.delete(name);
        else if (what === "cut") collection.cut();
        else if (what === "compact") collection.compact();
        else if (what === "fail") collection.failures.push(new ApiError(500, "", "broken"));
        else if (what === "expire") collection.failures.push(new ApiError(410, "Expired", ""));
        else await rest();
      }
      collection.cut();
      for (let i = 0; i < 5 + collection.failures.length; i++) await rest();
      assert.deepEqual(following.seen, contents(collection));
      await following.stop();
    }),
    {
      numRuns: 60,
      // A watch that is open gets what happened before its history was forgotten.
      examples: [[[
        { what: "rest" },
        { what: "set", name: "a" },
        { what: "compact" },
        { what: "set", name: "d" },
        { what: "rest" },
      ]]],
    },
  );
});

Deno.test("while the server is away, what is known stays, and tries come ever less often", async () => {
  const collection = new FakeCollection();
  collection.set("a", 1);
  const following = follow(collection);
  await rest();
  assert.deepEqual(following.states, ["following"]);
  for (let i = 0; i < 8; i++) collection.failures.push(new ApiError(0, "NoAnswer", "refused"));
  collection.cut();
  while (collection.failures.length > 0) await rest();
  await rest();
  assert.deepEqual(following.seen, contents(collection));
  assert.deepEqual(following.sleeps, [150, 300, 600, 1_200, 2_400, 4_800, 7_500, 7_500]);
  assert.deepEqual(new Set(following.reasons), new Set(["refused"]));
  assert.equal(collection.lists, 1, "it goes on where it was");
  await following.stop();
});

Deno.test("a kind that does not exist has no objects; one that may not be read keeps them", async () => {
  const collection = new FakeCollection();
  collection.set("a", 1);
  const following = follow(collection);
  await rest();
  collection.failures.push(new ApiError(403, "Forbidden", "no"));
  collection.cut();
  await rest();
  assert.deepEqual(following.states, ["following", "forbidden", "following"]);
  assert.equal(following.seen.size, 1);
  collection.failures.push(new ApiError(404, "NotFound", "no such kind"));
  collection.cut();
  await rest();
  assert.deepEqual(following.states.slice(3), ["absent", "following"]);
  assert.equal(following.seen.size, 1, "it is there again");
  await following.stop();
});

Deno.test("a bookmark moves the place from which a watch goes on", async () => {
  const collection = new FakeCollection();
  const following = follow(collection);
  await rest();
  collection.version = 90;
  const metadata = { name: "", resourceVersion: "90" };
  collection.history.push({ type: "BOOKMARK", object: { metadata } });
  collection.set("a", 1);
  await rest();
  // All before the bookmark is forgotten: without it a list would be needed.
  collection.compacted = 90;
  collection.cut();
  await rest();
  assert.equal(collection.lists, 1);
  assert.deepEqual(following.seen, contents(collection));
  await following.stop();
});
