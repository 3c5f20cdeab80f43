import { compareVersions, type Version } from "../../common/delta/resources.ts";
import type { SessionState } from "../distribution/session.ts";
import type { Programming } from "../status/status_documents.ts";

/** What is asked of a served object. */
export interface ServedObject {
  /** "Gateway/namespace/name" or "ListenerSet/namespace/name". */
  readonly key: string;
  /** Generation that is asked for. */
  readonly generation: number;
  /** Version from which on nodes have it; undefined when it was not published. */
  readonly since: Version | undefined;
  /** Nodes that serve it now. */
  readonly nodes: readonly string[];
  readonly addresses: readonly string[];
}

/**
 * Whether the nodes have what an object promises. Once they had it, a node that comes later does not take
 * it back: it gets everything before traffic.
 */
export class Programmed {
  /** Generation that all nodes had, by object. */
  readonly #reached = new Map<string, number>();

  /** @param listener "" for the whole object */
  of(
    object: ServedObject,
    listener: string,
    sessions: ReadonlyMap<string, SessionState>,
  ): Programming {
    const { key, generation, since, nodes, addresses } = object;
    const pending = (message: string): Programming => ({
      holds: false,
      reason: "Pending",
      message,
    });
    if (since === undefined) return pending("not published yet");
    if (nodes.length === 0) return pending("no node serves it: no agent of its nodes is connected");
    const waiting = nodes.filter((node) => {
      const acknowledged = sessions.get(node)?.acknowledged ?? null;
      return acknowledged === null || compareVersions(acknowledged, since) < 0;
    });
    if (waiting.length > 0 && this.#reached.get(key) !== generation) {
      return pending(`waiting for node ${waiting.slice(0, 3).join(", ")}`);
    }
    this.#reached.set(key, generation);
    const place = listener === "" ? `${key}/` : `${key}/${listener}`;
    for (const node of nodes) {
      const { listenerProblems = [], addressProblems = [] } = sessions.get(node)?.status ?? {};
      const address = addressProblems.find((problem) => addresses.includes(problem.address));
      if (address !== undefined) {
        const message = `node ${node} cannot hold ${address.address}: ${address.reason}`;
        return { holds: false, reason: "AddressNotUsable", message };
      }
      const own = listenerProblems.find((problem) =>
        listener === "" ? problem.listener.startsWith(place) : problem.listener === place
      );
      if (own !== undefined) {
        return { holds: false, reason: "Invalid", message: `node ${node}: ${own.reason}` };
      }
    }
    return { holds: true, reason: "Programmed", message: "" };
  }

  /** The object is gone. */
  forget(key: string): void {
    this.#reached.delete(key);
  }
}
