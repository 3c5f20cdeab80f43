import assert from "node:assert/strict";
import { type KindName, KINDS } from "../../../api/kinds.ts";
import { createLogger } from "../../../common/log.ts";
import type { SourceChange } from "../../translate/source_object.ts";
import { objectKey } from "../../translate/source_object.ts";
import type { SourceProblem } from "../source_problem.ts";
import { ApiError, type ApiObject, type RequestOptions, type WatchEvent } from "./api_client.ts";
import { type Api, KubernetesSource } from "./kubernetes_source.ts";
import { kindPath } from "./paths.ts";

/** A cluster whose objects the test sets. */
class FakeCluster implements Api {
  readonly server = "https://fake";
  readonly objects = new Map<string, ApiObject>();
  readonly #kinds = new Map<string, string>();
  /** Statuses with which paths are answered. */
  readonly refused = new Map<string, number>();
  readonly requested: string[] = [];
  readonly #watchers = new Map<string, ((event: WatchEvent | null) => void)[]>();
  #version = 1;

  set(kind: KindName, name: string, fields: object, namespace = "default"): void {
    const path = kindPath(kind);
    const place = this.#place(kind, namespace, name);
    const type = this.objects.has(place) ? "MODIFIED" : "ADDED";
    const metadata = {
      name,
      ...(KINDS[kind].clusterScoped === true ? {} : { namespace }),
      resourceVersion: String(++this.#version),
      managedFields: [{}],
    };
    const object = { metadata, ...fields };
    this.objects.set(place, object);
    this.#kinds.set(place, path);
    for (const tell of this.#watchers.get(path) ?? []) tell({ type, object });
  }

  #place(kind: KindName, namespace: string, name: string): string {
    const path = kindPath(kind);
    const [, root, plural] = /^(.*)\/([^/]+)$/.exec(path)!;
    return KINDS[kind].clusterScoped === true
      ? `${path}/${name}`
      : `${root}/namespaces/${namespace}/${plural}/${name}`;
  }

  async *pages(path: string, { accept }: RequestOptions = {}) {
    await Promise.resolve();
    this.#refuse(path);
    const items = [...this.objects].filter(([place]) => this.#kinds.get(place) === path).map(
      ([, object]) => accept === undefined ? object : { metadata: object.metadata },
    );
    yield { items, resourceVersion: String(this.#version) };
  }

  async *watch(path: string, { signal }: RequestOptions) {
    const events: WatchEvent[] = [];
    let wake: () => void = () => {};
    const tell = (event: WatchEvent | null) => {
      if (event !== null) events.push(event);
      wake();
    };
    this.#watchers.set(path, [...this.#watchers.get(path) ?? [], tell]);
    signal!.addEventListener("abort", () => tell(null));
    while (!signal!.aborted) {
      const event = events.shift();
      if (event !== undefined) yield event;
      else await new Promise<void>((resolve) => wake = resolve);
    }
  }

  async request<T>(path: string): Promise<T> {
    this.requested.push(path);
    await Promise.resolve();
    this.#refuse(path);
    const object = this.objects.get(path);
    if (object === undefined) throw new ApiError(404, "NotFound", path);
    return object as T;
  }

  #refuse(path: string): void {
    const status = this.refused.get(path);
    if (status !== undefined) throw new ApiError(status, "", `${path}: ${status}`);
  }
}

/** A source over the cluster, and what it handed on. */
function read(cluster: FakeCluster, wanted: () => string[] = () => []) {
  const objects = new Map<string, SourceChange["object"]>();
  let published = new Map<string, SourceChange["object"]>();
  let problems: readonly SourceProblem[] = [];
  let times = 0;
  const touched: string[] = [];
  let wake: () => void = () => {};
  const source = new KubernetesSource(
    cluster,
    {
      take(changes) {
        for (const { key, object } of changes) {
          if (object === null) objects.delete(objectKey(key));
          else objects.set(objectKey(key), object);
        }
        return { wanted: new Set(wanted()), accepted: [], held: new Map() };
      },
      touched(key) {
        touched.push(objectKey(key));
      },
      publish(found) {
        problems = found;
        times++;
        published = new Map(objects);
        wake();
      },
    },
    createLogger("test", "silent" as never),
    () => 0.5,
  );
  void source.start();
  return {
    source,
    touched,
    get problems() {
      return problems;
    },
    get published() {
      return published;
    },
    /** Resolves when something was published since the last call. */
    async publication(): Promise<void> {
      const before = times;
      while (times === before) await new Promise<void>((resolve) => wake = resolve);
    },
  };
}

const BACKEND = { spec: { endpoints: [{ address: "10.0.0.1", port: 80 }] } };
const SECRET = { type: "Opaque", data: { a: btoa("b") } };

Deno.test("what is published is complete: all kinds, and the Secrets that translation looks for", async () => {
  const cluster = new FakeCluster();
  cluster.set("ProxyBackend", "b", { ...BACKEND, status: { conditions: [] } });
  cluster.set("Secret", "used", SECRET);
  cluster.set("Secret", "unused", SECRET);
  let wanted = ["Secret/default/used", "Secret/default/absent"];
  const reading = read(cluster, () => wanted);
  await reading.publication();
  assert.deepEqual([...reading.published.keys()].sort(), [
    "ProxyBackend/default/b",
    "Secret/default/used",
  ]);
  assert.ok(reading.source.synced);
  assert.deepEqual(cluster.requested, ["/api/v1/namespaces/default/secrets/used"]);
  const { body } = reading.published.get("ProxyBackend/default/b")!;
  assert.ok(!("managedFields" in body.metadata) && !("status" in body));
  const key = { kind: "ProxyBackend", namespace: "default", name: "b" } as const;
  assert.deepEqual(reading.source.factsOf(key)!.status, { conditions: [] });

  // One that comes later, and a new version of the other, are fetched before anything is published.
  cluster.set("Secret", "absent", SECRET);
  await reading.publication();
  assert.ok(reading.published.has("Secret/default/absent"));
  cluster.set("Secret", "used", { type: "Opaque", data: { a: btoa("new") } });
  await reading.publication();
  const used = reading.published.get("Secret/default/used")!.body as unknown as {
    data: { a: string };
  };
  assert.equal(atob(used.data.a), "new");

  // What nobody looks for any more is not kept.
  wanted = [];
  cluster.set("ProxyBackend", "b", BACKEND);
  await reading.publication();
  while (reading.published.size > 1) await reading.publication();
  assert.deepEqual([...reading.published.keys()], ["ProxyBackend/default/b"]);
  await reading.source.stop();
});

Deno.test("a Secret that cannot be fetched does not hold others back", async () => {
  const cluster = new FakeCluster();
  cluster.set("Secret", "broken", SECRET);
  cluster.set("ProxyBackend", "b", BACKEND);
  cluster.refused.set("/api/v1/namespaces/default/secrets/broken", 500);
  const reading = read(cluster, () => ["Secret/default/broken"]);
  await reading.publication();
  assert.deepEqual([...reading.published.keys()], ["ProxyBackend/default/b"]);
  await reading.source.stop();
});

Deno.test("a kind that restricts and may not be read stops publication; another is left out", async () => {
  const cluster = new FakeCluster();
  cluster.set("ProxyBackend", "b", BACKEND);
  cluster.refused.set(kindPath("Namespace"), 403);
  const reading = read(cluster);
  await reading.publication();
  assert.ok(reading.source.synced);
  assert.deepEqual(reading.problems.map(({ object }) => object), ["Namespace"]);
  await reading.source.stop();

  const closed = new FakeCluster();
  closed.set("ProxyBackend", "b", BACKEND);
  closed.refused.set(kindPath("ProxyPolicy"), 403);
  const waiting = read(closed);
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.equal(waiting.published.size, 0);
  assert.equal(waiting.source.synced, false);
  await waiting.source.stop();
});

Deno.test("an invalid object is named, and what it restricts is not left open", async () => {
  const cluster = new FakeCluster();
  cluster.set("ProxyBackend", "b", { spec: { endpoint: [] } });
  cluster.set("ProxyPolicy", "p", {
    spec: { type: "Wrong", targetRef: { kind: "ProxyRoute", name: "r" } },
  });
  const reading = read(cluster);
  await reading.publication();
  assert.deepEqual([...reading.published.keys()], ["ProxyPolicy/default/p"]);
  const objects = new Set(reading.problems.map(({ object }) => object));
  assert.deepEqual([...objects].sort(), ["ProxyBackend/default/b", "ProxyPolicy/default/p"]);
  await reading.source.stop();
});

Deno.test("bug: an object that cannot be taken in was thrown out of the watch, and others with it", async () => {
  const cluster = new FakeCluster();
  cluster.set("ProxyBackend", "a", BACKEND);
  const reading = read(cluster);
  await reading.publication();
  let deep: unknown = null;
  for (let i = 0; i < 200_000; i++) deep = { a: deep };
  cluster.set("ProxyBackend", "a", { ...BACKEND, deep });
  cluster.set("ProxyBackend", "b", BACKEND);
  while (!reading.published.has("ProxyBackend/default/b")) await reading.publication();
  assert.ok(reading.published.has("ProxyBackend/default/a"));
  const [{ object, reason, lastGoodServing }] = reading.problems;
  assert.equal(object, "ProxyBackend/default/a");
  assert.match(reason, /^the object cannot be read: /);
  assert.ok(lastGoodServing);
  await reading.source.stop();
});
