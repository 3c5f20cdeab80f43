import { Kind, type Resource } from "../common/delta/resources.ts";
import { Gateway, Protocol } from "../proto/gen/novaedge/v1/config.ts";
import type { ListenerProblem } from "../proto/gen/novaedge/v1/distribution.ts";

/** A listener as people ask for it. */
export interface ServedListener {
  /** As "https://*:8443". */
  readonly url: string;
  /** Why it is not open, "" when it is. */
  readonly problem: string;
}

/** What a node serves when it begins to. */
export interface Serving {
  readonly listeners: readonly ServedListener[];
  /** Problems of the source. */
  readonly errors: number;
  /** URL of the admin API, "" when it is not served. */
  readonly admin: string;
}

/** The listeners of all gateways held, with what keeps them from being open. */
export function servedListeners(
  resources: Iterable<Resource>,
  problems: readonly ListenerProblem[],
): ServedListener[] {
  const reasons = new Map(problems.map(({ listener, reason }) => [listener, reason]));
  const served: ServedListener[] = [];
  for (const { kind, name, body } of resources) {
    if (kind !== Kind.KIND_GATEWAY) continue;
    for (const listener of Gateway.decode(body).listeners) {
      const scheme = listener.protocol === Protocol.PROTOCOL_HTTPS ? "https" : "http";
      served.push({
        url: `${scheme}://${listener.bindAddresses[0] ?? "*"}:${listener.port}`,
        problem: reasons.get(`${name}/${listener.name}`) ?? "",
      });
    }
  }
  return served;
}
