import type { ApiObject } from "./api_client.ts";

/** Milliseconds after a node is heard of again until what the cluster says of its pods is true again. */
const HOLD = 60_000;

interface Condition {
  readonly type: string;
  readonly status: string;
  readonly lastTransitionTime?: string;
}

interface Sight {
  readonly status: string;
  /** When its status changed last, by the cluster's clock. */
  readonly changed: string;
  /** Until when it counts as out of sight, by ours. */
  readonly until: number;
  /** Stops what ends that. */
  readonly cancel: (() => void) | undefined;
}

/** Where nodes go, and by which clock. */
export interface NodeSightOptions {
  readonly hand: (node: ApiObject) => void;
  /** Milliseconds of a clock that never goes back. */
  readonly now: () => number;
  /** Calls something after some milliseconds; the result cancels that. */
  readonly later: (milliseconds: number, what: () => void) => () => void;
}

/**
 * Nodes of which the cluster heard nothing for a while stay "Unknown" for a while after it heard of them again:
 * the control plane takes all their pods for not ready, and says so longer than it says that of the node; and a
 * kubelet that was away says at first that its container runtime is down.
 * After an outage of the API server that is all nodes at once, and nothing is wrong with any of them.
 */
export class NodeSight {
  readonly #options: NodeSightOptions;
  readonly #nodes = new Map<string, Sight>();

  constructor(options: NodeSightOptions) {
    this.#options = options;
  }

  /** A node came or changed: it is handed on, as it is to be seen now, and once more when that ends. */
  see(node: ApiObject): void {
    const { hand, now, later } = this.#options;
    const { name } = node.metadata;
    const before = this.#nodes.get(name);
    before?.cancel?.();
    const { status = "", lastTransitionTime: changed = "" } = readyOf(node) ?? {};
    const until = this.#outOfSightUntil(before, status, changed);
    const left = until - now();
    const held = status !== "Unknown" && left > 0;
    const cancel = held ? later(left, () => this.see(node)) : undefined;
    this.#nodes.set(name, { status, changed, until, cancel });
    hand(held ? withReady(node, "Unknown") : node);
  }

  /** A node is gone. */
  forget(name: string): void {
    this.#nodes.get(name)?.cancel?.();
    this.#nodes.delete(name);
  }

  /** Nothing is handed on any more. */
  stop(): void {
    for (const { cancel } of this.#nodes.values()) cancel?.();
  }

  #outOfSightUntil(before: Sight | undefined, status: string, changed: string): number {
    if (status === "Unknown") return Infinity;
    if (before === undefined) return 0;
    const now = this.#options.now();
    if (before.status === "Unknown") return now + HOLD;
    // What happened while this controller itself heard nothing shows in the time of the last change.
    const missed = status === "True" && before.status === "True" && before.changed !== changed;
    return missed ? now + HOLD : before.until;
  }
}

function conditionsOf({ status }: ApiObject): readonly Condition[] {
  return (status as { conditions?: readonly Condition[] } | undefined)?.conditions ?? [];
}

function readyOf(node: ApiObject): Condition | undefined {
  return conditionsOf(node).find(({ type }) => type === "Ready");
}

function withReady(node: ApiObject, status: string): ApiObject {
  const conditions = conditionsOf(node).map((condition) =>
    condition.type === "Ready" ? { ...condition, status } : condition
  );
  return { ...node, status: { ...node.status as object, conditions } };
}
