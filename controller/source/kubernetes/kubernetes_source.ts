import { GATEWAY_API } from "../../../api/gateway_api.ts";
import type { KindName, KindTypes } from "../../../api/kinds.ts";
import { KINDS } from "../../../api/kinds.ts";
import { validate } from "../../../api/validate.ts";
import { delay } from "../../../common/backoff.ts";
import { messageOf } from "../../../common/errors.ts";
import type { Logger } from "../../../common/log.ts";
import { sha256 } from "../../../common/hash.ts";
import { OutageLog } from "../../../common/outage_log.ts";
import {
  type ObjectKey,
  objectKey,
  originOf,
  type SourceChange,
} from "../../translate/source_object.ts";
import type { Source, SourceSink } from "../source.ts";
import { ProblemList } from "../problem_list.ts";
import type { SourceProblem } from "../source_problem.ts";
import { substituteFor } from "../substitute.ts";
import type { ApiClient, ApiObject } from "./api_client.ts";
import { NodeSight } from "./node_sight.ts";
import { kindPath } from "./paths.ts";
import { ReferredObjects } from "./referred_objects.ts";
import { Reflector, type ReflectorState } from "./reflector.ts";
import { trimmed } from "./trim.ts";

/** Milliseconds in which changes gather: a rollout changes many objects at once. */
const GATHER = 5;
/** Milliseconds between two looks at whether a watch has brought what is waited for, and until a failed delivery again. */
const RETRY = 200;
/** How many times RETRY a watch may take to bring what another controller has seen. */
const PATIENCE = 5;
/** Asks for metadata alone, so that nobody's secrets pass through here that nobody refers to. */
const METADATA = {
  list: "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1",
  watch: "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1",
};
/** Kinds of which only what is referred to is read. */
const BY_REFERENCE: ReadonlySet<KindName> = new Set<KindName>(["Secret", "ConfigMap"]);
/** A kind of which nothing but metadata is read. */
const DEFINITION = "CustomResourceDefinition";
/** Kinds without which what they restrict would be open. */
const RESTRICTING: ReadonlySet<KindName> = new Set<KindName>([
  "ProxyPolicy",
  "ReferenceGrant",
  "BackendTLSPolicy",
  "Secret",
  "ConfigMap",
]);

/** What is known of an object beside its body. */
export interface ObjectFacts {
  readonly uid: string;
  readonly resourceVersion: string;
  readonly generation: number;
  /** As the API server has it; undefined for none. */
  readonly status: unknown;
  /** Hash of what is handed on: most changes are of the status alone. */
  readonly digest: string;
}

/** What the source asks of an API server. */
export type Api = Pick<ApiClient, "pages" | "request" | "server" | "watch">;

interface Followed {
  readonly kind: KindName;
  readonly reflector: Reflector;
  state: ReflectorState;
  problem: string;
}

/**
 * The objects of a cluster. All kinds are followed; what is served changes only when every kind was read
 * and every Secret that translation looks for is there, so that nothing is ever served half.
 */
export class KubernetesSource implements Source {
  readonly #client: Api;
  readonly #sink: SourceSink;
  readonly #log: Logger;
  readonly #outage: OutageLog;
  readonly #followed: readonly Followed[];
  readonly #facts = new Map<string, ObjectFacts>();
  readonly #changes = new Map<string, SourceChange>();
  readonly #invalid = new Map<string, SourceProblem[]>();
  readonly #referred: ReferredObjects;
  readonly #sight: NodeSight;
  #wanted: ReadonlySet<string> = new Set();
  readonly #ended = new AbortController();
  #runs: Promise<unknown> = Promise.resolve();
  #timer: ReturnType<typeof setTimeout> | undefined;
  readonly #retries = new Set<ReturnType<typeof setTimeout>>();
  #delivering = false;
  /** Something came while a delivery was under way. */
  #again = false;
  #synced = false;

  constructor(client: Api, sink: SourceSink, log: Logger, random: () => number) {
    this.#client = client;
    this.#sink = sink;
    this.#log = log;
    this.#outage = new OutageLog(
      (reason) =>
        log.warn(
          { server: client.server, reason },
          "no answer from the API server; keeping what is known",
        ),
      () => performance.now(),
    );
    this.#referred = new ReferredObjects({
      client,
      log,
      signal: this.#ended.signal,
      later: (milliseconds, before) => this.#later(milliseconds, before),
    });
    this.#sight = new NodeSight({
      hand: (node) => this.#upsert("Node", node),
      now: () => performance.now(),
      later: (milliseconds, what) => {
        const timer = setTimeout(what, milliseconds);
        return () => clearTimeout(timer);
      },
    });
    this.#followed = (Object.keys(KINDS) as KindName[]).map((kind) => this.#follow(kind, random));
  }

  get name(): string {
    return this.#client.server;
  }

  /** Whether every kind was read completely, and nothing that restricts is withheld from us. */
  get synced(): boolean {
    return this.#synced && this.#withheld.length === 0;
  }

  /** What is known of an object beside its body, undefined when it is not there. */
  factsOf(key: ObjectKey): ObjectFacts | undefined {
    return this.#facts.get(objectKey(key));
  }

  /** The newest version of an object of each kind that was seen. */
  newest(): Record<string, string> {
    return Object.fromEntries(
      this.#followed.map(({ kind, reflector }) => [kind, reflector.newest]),
    );
  }

  /**
   * Resolves when everything up to these versions was seen and delivered; what does not come by itself is
   * listed anew.
   */
  async catchUp(versions: Readonly<Record<string, string>>): Promise<void> {
    const behind = () =>
      this.#followed.filter(({ kind, reflector, state }) =>
        state === "following" && !reflector.reached(versions[kind] ?? "")
      );
    const { signal } = this.#ended;
    for (let tries = 0; tries < PATIENCE && behind().length > 0; tries++) {
      await delay(RETRY, signal);
    }
    await Promise.all(behind().map(({ reflector }) => reflector.relist()));
    await this.#delivered(signal);
  }

  /** Lists everything anew; resolves when it was delivered. */
  async refresh(): Promise<void> {
    const following = this.#followed.filter(({ state }) => state === "following");
    await Promise.all(following.map(({ reflector }) => reflector.relist()));
    await this.#delivered(this.#ended.signal);
  }

  /** Resolves when nothing waits to be delivered. */
  async #delivered(signal: AbortSignal): Promise<void> {
    while ((this.#timer !== undefined || this.#delivering || !this.synced) && !signal.aborted) {
      await delay(GATHER, signal);
    }
  }

  start(): Promise<void> {
    const { signal } = this.#ended;
    this.#runs = Promise.all(this.#followed.map(({ reflector }) => reflector.run(signal)));
    return Promise.resolve();
  }

  /** The API server tells every change. */
  lookAgain(): void {}

  async stop(): Promise<void> {
    clearTimeout(this.#timer);
    for (const timer of this.#retries) clearTimeout(timer);
    this.#sight.stop();
    this.#ended.abort();
    await this.#runs;
  }

  #follow(kind: KindName, random: () => number): Followed {
    const referred = BY_REFERENCE.has(kind);
    const reflector = new Reflector({
      path: kindPath(kind),
      ...(referred || kind === DEFINITION ? { accept: METADATA } : {}),
      collection: this.#client,
      random,
      sleep: delay,
      handler: {
        upsert: (object) => {
          if (referred) this.#noted(kind, object);
          else if (kind === "Node") this.#sight.see(object);
          else this.#upsertOrNote(kind, object);
        },
        remove: (key) => this.#remove(kind, key),
        settled: (state, problem) => this.#settled(followed, state, problem),
        failed: (reason) => this.#outage.failed(reason),
        reached: () => this.#outage.ended(),
      },
    });
    const followed: Followed = { kind, reflector, state: "starting", problem: "" };
    return followed;
  }

  #settled(followed: Followed, state: ReflectorState, problem: string): void {
    const { kind, state: before } = followed;
    followed.state = state;
    followed.problem = problem;
    if (state !== before) {
      if (state === "forbidden") {
        this.#log.error({ kind, reason: problem }, "a kind cannot be read");
      } else if (state === "absent") {
        this.#log.info({ kind }, "the cluster does not know this kind");
      } else this.#log.debug({ kind }, "following");
    }
    this.#gather();
  }

  get #withheld(): readonly Followed[] {
    return this.#followed.filter(({ kind, state }) =>
      state === "forbidden" && RESTRICTING.has(kind)
    );
  }

  /** Takes in an object; one that fails is named and takes no other with it. */
  #upsertOrNote(kind: KindName, object: ApiObject): void {
    try {
      this.#upsert(kind, object);
    } catch (error) {
      const { name, namespace = "" } = object.metadata;
      const text = objectKey({ kind, namespace, name });
      const reason = `the object cannot be read: ${messageOf(error)}`;
      const place = { file: text, line: 0, path: "", object: text };
      this.#invalid.set(text, [{ ...place, reason, lastGoodServing: this.#facts.has(text) }]);
      this.#gather();
    }
  }

  #upsert(kind: KindName, given: ApiObject): void {
    const { name, namespace = "", resourceVersion, generation = 0, uid = "" } = given.metadata;
    if (kind === DEFINITION && !name.endsWith(`.${GATEWAY_API}`)) return;
    const key: ObjectKey = { kind, namespace, name };
    const text = objectKey(key);
    const { status, body } = trimmed(kind, given);
    const origin = originOf(Number(generation));
    const digest = sha256(`${origin}${JSON.stringify(body)}`);
    const same = this.#facts.get(text)?.digest === digest;
    const versions = { resourceVersion, generation: Number(generation) };
    this.#facts.set(text, { uid: String(uid), ...versions, status, digest });
    if (same) {
      this.#sink.touched(key);
      return;
    }
    const problems = validate(kind, body);
    if (problems.length === 0) {
      this.#invalid.delete(text);
      const object = {
        ...key,
        body: body as unknown as KindTypes[KindName],
        origin,
        heldBecause: "",
      };
      this.#changes.set(text, { key, object });
    } else {
      this.#invalid.set(
        text,
        problems.map(({ path, reason }) => ({
          file: text,
          line: 0,
          path,
          object: text,
          reason,
          lastGoodServing: false,
        })),
      );
      // What it restricts is not left open.
      const substitute = substituteFor(key, body);
      const object = substitute === null
        ? null
        : { ...key, body: substitute, origin, heldBecause: "" };
      this.#changes.set(text, { key, object });
    }
    this.#gather();
  }

  /** An object that is read by reference came or changed. */
  #noted(kind: KindName, object: ApiObject): void {
    this.#referred.noted(kind, object);
    this.#gather();
  }

  #remove(kind: KindName, path: string): void {
    const slash = path.indexOf("/");
    const key: ObjectKey = { kind, namespace: path.slice(0, slash), name: path.slice(slash + 1) };
    const text = objectKey(key);
    this.#facts.delete(text);
    this.#invalid.delete(text);
    this.#referred.removed(text);
    if (kind === "Node") this.#sight.forget(key.name);
    this.#changes.set(text, { key, object: null });
    this.#gather();
  }

  /** Delivers what has changed, a moment later. */
  #gather(): void {
    if (this.#timer !== undefined || this.#ended.signal.aborted) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      void this.#deliver();
    }, GATHER);
  }

  async #deliver(): Promise<void> {
    const unread = this.#followed.some(({ state }) => state === "starting");
    if (unread || this.#withheld.length > 0) return;
    if (this.#delivering) {
      this.#again = true;
      return;
    }
    this.#delivering = true;
    this.#again = false;
    try {
      for (;;) {
        const changes = [...this.#changes.values()];
        this.#changes.clear();
        for (const change of await this.#referred.missing(this.#wanted)) changes.push(change);
        if (changes.length === 0) break;
        this.#wanted = this.#sink.take(changes).wanted;
        for (const key of this.#referred.forget(this.#wanted)) {
          this.#changes.set(objectKey(key), { key, object: null });
        }
      }
      this.#synced = true;
      this.#sink.publish(this.problems());
    } catch (error) {
      if (this.#ended.signal.aborted) return;
      this.#log.error({ error: messageOf(error) }, "taking in the cluster's objects failed");
      this.#later(RETRY, () => {});
    } finally {
      this.#delivering = false;
    }
    if (this.#again) this.#gather();
  }

  /** Delivers again after some time. */
  #later(milliseconds: number, before: () => void): void {
    const timer = setTimeout(() => {
      this.#retries.delete(timer);
      before();
      this.#gather();
    }, milliseconds);
    this.#retries.add(timer);
  }

  /** What is wrong with what was read, as much as is shown. */
  problems(): SourceProblem[] {
    const problems = new ProblemList();
    for (const { kind, state, problem: reason } of this.#followed) {
      if (state !== "forbidden") continue;
      const file = kindPath(kind);
      problems.add({ file, line: 0, path: "", object: kind, reason, lastGoodServing: false });
    }
    for (const each of this.#invalid.values()) for (const problem of each) problems.add(problem);
    return problems.shown();
  }
}
