import { KINDS } from "../../api/kinds.ts";
import { Kind } from "../../common/delta/resources.ts";
import { messageOf } from "../../common/errors.ts";
import { sha256 } from "../../common/hash.ts";
import type { Logger } from "../../common/log.ts";
import { Outcome } from "../../proto/gen/novaedge/v1/distribution.ts";
import { type ApiClient, ApiError } from "../source/kubernetes/api_client.ts";
import type { ObjectFacts } from "../source/kubernetes/kubernetes_source.ts";
import { failuresOf, remarksOf } from "../translate/failures.ts";
import type { ObjectKey } from "../translate/source_object.ts";
import type { ResourceUpdate } from "../translate/translator.ts";

/** Kinds whose status has no place for conditions: people find out by `kubectl describe`. */
const WITHOUT_CONDITIONS: ReadonlySet<string> = new Set(["Ingress", "IngressClass"]);
/** Milliseconds after which a problem that is still there is told again: the API server keeps events for an hour. */
const AGAIN = 30 * 60_000;
/** Events at once, and milliseconds until the next ones. */
const BATCH = 20;
const PAUSE = 1_000;
/** Characters that the message of an event may have. */
const LONGEST = 1_024;
const COMPONENT = "novaedge-controller";

export interface ProblemEventsOptions {
  readonly client: Pick<ApiClient, "request">;
  readonly log: Logger;
  readonly factsOf: (key: ObjectKey) => ObjectFacts | undefined;
  /** Whether this controller may write now. */
  readonly leads: () => boolean;
  /** Now, RFC 3339 to the second. */
  readonly time: () => string;
}

interface Problem {
  readonly key: ObjectKey;
  readonly reason: string;
  readonly message: string;
}

/** Tells problems of objects without conditions by Kubernetes Events, once each and again while they last. */
export class ProblemEvents {
  readonly #options: ProblemEventsOptions;
  /** Problems by object. */
  readonly #problems = new Map<string, Problem[]>();
  readonly #waiting = new Set<string>();
  #working = false;
  #pause: ReturnType<typeof setTimeout> | undefined;
  #timer: ReturnType<typeof setInterval> | undefined;

  constructor(options: ProblemEventsOptions) {
    this.#options = options;
  }

  start(): void {
    this.#timer = setInterval(() => this.tellAll(), AGAIN);
  }

  stop(): void {
    clearInterval(this.#timer);
    clearTimeout(this.#pause);
    this.#waiting.clear();
  }

  /** Outcomes changed. */
  update(updates: readonly ResourceUpdate[]): void {
    for (const { kind, name, resource } of updates) {
      if (kind !== Kind.KIND_OUTCOME || !WITHOUT_CONDITIONS.has(name.split("/", 1)[0])) continue;
      const problems = resource === null ? [] : problemsOf(Outcome.decode(resource.body));
      if (problems.length === 0) {
        this.#problems.delete(name);
        this.#waiting.delete(name);
      } else {
        this.#problems.set(name, problems);
        this.#waiting.add(name);
      }
    }
    void this.#work();
  }

  /** Tells what is there: this controller leads now, or events have expired. */
  tellAll(): void {
    for (const name of this.#problems.keys()) this.#waiting.add(name);
    void this.#work();
  }

  async #work(): Promise<void> {
    if (this.#working || this.#waiting.size === 0) return;
    if (!this.#options.leads()) {
      this.#waiting.clear();
      return;
    }
    this.#working = true;
    const batch = [...this.#waiting].slice(0, BATCH);
    for (const name of batch) this.#waiting.delete(name);
    await Promise.all(
      batch.flatMap((name) => this.#problems.get(name) ?? []).map((each) => this.#tell(each)),
    );
    if (this.#waiting.size === 0) {
      this.#working = false;
      return;
    }
    this.#pause = setTimeout(() => {
      this.#working = false;
      void this.#work();
    }, PAUSE);
  }

  async #tell({ key, reason, message }: Problem): Promise<void> {
    const { client, factsOf, log, time } = this.#options;
    const facts = factsOf(key);
    if (facts === undefined) return;
    const { group, version } = KINDS[key.kind];
    const namespace = key.namespace || "default";
    const now = time();
    // The same problem has the same name, so that the API server keeps one event of it.
    const digest = sha256(`${facts.uid} ${reason} ${message}`).slice(0, 16);
    const body = {
      apiVersion: "v1",
      kind: "Event",
      metadata: { name: `${key.name.slice(0, 200)}.${digest}`, namespace },
      involvedObject: {
        apiVersion: group === "" ? version : `${group}/${version}`,
        kind: key.kind,
        ...(key.namespace === "" ? {} : { namespace }),
        name: key.name,
        uid: facts.uid,
        resourceVersion: facts.resourceVersion,
      },
      type: "Warning",
      reason,
      message: message.slice(0, LONGEST),
      source: { component: COMPONENT },
      reportingComponent: COMPONENT,
      firstTimestamp: now,
      lastTimestamp: now,
      count: 1,
    };
    try {
      await client.request(`/api/v1/namespaces/${namespace}/events`, { method: "POST", body });
    } catch (error) {
      if (error instanceof ApiError && error.status === 409) return;
      log.warn(
        { object: `${key.kind}/${key.namespace}/${key.name}`, reason: messageOf(error) },
        "cannot tell a problem by an event",
      );
    }
  }
}

/** What an outcome says against its object, and what of it is not served. */
function problemsOf(outcome: Outcome): Problem[] {
  const { kind, namespace, name } = outcome;
  const key = { kind, namespace, name } as ObjectKey;
  return [...failuresOf(outcome), ...remarksOf(outcome)].map(({ reason, message }) => ({
    ...{ key, reason, message },
  }));
}
