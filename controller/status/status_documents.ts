import { isDeepStrictEqual } from "node:util";
import { isOwnCondition } from "../../api/condition_types.ts";
import { CONTROLLER_NAME, GATEWAY_API } from "../../api/gateway_api.ts";
import type {
  Condition,
  ListenerOutcome,
  Outcome,
  ParentOutcome,
} from "../../proto/gen/novaedge/v1/distribution.ts";

/** A condition as the API server has it. */
export interface StatusCondition {
  readonly type: string;
  readonly status: "True" | "False" | "Unknown";
  readonly reason: string;
  readonly message: string;
  readonly observedGeneration: number;
  readonly lastTransitionTime: string;
}

interface ParentStatus {
  readonly parentRef: Readonly<Record<string, unknown>>;
  readonly controllerName: string;
  readonly conditions: readonly StatusCondition[];
}

interface AncestorStatus {
  readonly ancestorRef: Readonly<Record<string, unknown>>;
  readonly controllerName: string;
  readonly conditions: readonly StatusCondition[];
}

interface ListenerStatus {
  readonly name: string;
  readonly supportedKinds: readonly { readonly group: string; readonly kind: string }[];
  readonly attachedRoutes: number;
  readonly conditions: readonly StatusCondition[];
}

/** The parts of a status that are written here; what else is there stays. */
export interface Status {
  readonly observedGeneration?: number;
  readonly conditions?: readonly StatusCondition[];
  readonly listeners?: readonly ListenerStatus[];
  readonly parents?: readonly ParentStatus[];
  readonly ancestors?: readonly AncestorStatus[];
  readonly addresses?: readonly { readonly type: string; readonly value: string }[];
  readonly attachedListenerSets?: number;
  readonly loadBalancer?: { readonly ingress?: readonly { readonly ip: string }[] };
  readonly supportedFeatures?: readonly { readonly name: string }[];
}

/** What a status is made from, beside the outcome. */
export interface StatusFacts {
  /** Of the object that the outcome is of. */
  readonly generation: number;
  /** As it is in the cluster now; undefined for none. */
  readonly status: Status | undefined;
  /** Now, RFC 3339. */
  readonly now: string;
  /** How many routes are attached to a listener of the object. */
  readonly attachedRoutes: (listener: string) => number;
  /** How many ListenerSets a Gateway has. */
  readonly attachedSets: number;
  /** Whether traffic gets what a listener of the object promises. */
  readonly programmed: (listener: string) => Programming;
}

/** Whether something is in place on the nodes. */
export interface Programming {
  readonly holds: boolean;
  readonly reason: string;
  readonly message: string;
}

/** Kinds whose status has one part a parent, some of which other controllers write. */
const WITH_PARENTS = new Set(["HTTPRoute", "GRPCRoute", "TLSRoute", "TCPRoute", "UDPRoute"]);
/** Kinds that are served by nodes. */
const PROGRAMMED = new Set(["Gateway", "ListenerSet"]);
/** Most conditions that the CRDs of Gateway API and ours allow in one list (`maxItems`). */
const CONDITIONS = 8;
/** Most ancestors that the status of a policy takes. */
const ANCESTORS = 16;

/** The status that an outcome asks for, or null where the cluster has it already. */
export function statusOf(outcome: Outcome, facts: StatusFacts): Status | null {
  const next = documentOf(outcome, facts);
  if (next === null) return null;
  const { status = {} } = facts;
  const same = Object.entries(next).every(([name, part]) =>
    isDeepStrictEqual(part, status[name as keyof Status])
  );
  return same ? null : next;
}

function documentOf(outcome: Outcome, facts: StatusFacts): Status | null {
  if (WITH_PARENTS.has(outcome.kind)) return ofRoute(outcome, facts);
  if (outcome.kind === "BackendTLSPolicy") return ofPolicy(outcome, facts);
  if (outcome.kind === "Ingress") return ofIngress(outcome, facts);
  return ofObject(outcome, facts);
}

function ofObject(outcome: Outcome, facts: StatusFacts): Status | null {
  const { conditions, listeners, supportedFeatures } = outcome;
  // Nobody's business here: of another controller's class.
  if (conditions.length === 0) return null;
  const { generation, status = {} } = facts;
  const own = outcome.kind.startsWith("Proxy");
  return {
    ...(own ? { observedGeneration: generation } : {}),
    conditions: conditionsOf(
      withProgrammed(outcome, conditions, "", facts),
      status.conditions,
      facts,
    ),
    ...(PROGRAMMED.has(outcome.kind)
      ? { listeners: listeners.map((listener) => ofListener(outcome, listener, facts)) }
      : {}),
    ...(outcome.kind === "Gateway"
      ? {
        addresses: outcome.addresses.map((value) => ({ type: "IPAddress", value })),
        attachedListenerSets: facts.attachedSets,
      }
      : {}),
    ...(outcome.kind === "GatewayClass"
      ? { supportedFeatures: supportedFeatures.map((name) => ({ name })) }
      : {}),
  };
}

function ofListener(owner: Outcome, listener: ListenerOutcome, facts: StatusFacts): ListenerStatus {
  const { name, supportedKinds } = listener;
  const before = facts.status?.listeners?.find((other) => other.name === name);
  const conditions = withProgrammed(owner, listener.conditions, name, facts);
  return {
    name,
    supportedKinds: supportedKinds.map((kind) => ({ group: GATEWAY_API, kind })),
    attachedRoutes: facts.attachedRoutes(name),
    conditions: conditionsOf(conditions, before?.conditions, facts),
  };
}

/**
 * The conditions with Programmed: what translation said against it, else what the nodes say.
 * @param listener "" for the object itself
 */
function withProgrammed(
  { kind }: Outcome,
  conditions: readonly Condition[],
  listener: string,
  facts: StatusFacts,
): readonly Condition[] {
  if (!PROGRAMMED.has(kind) || conditions.length === 0) return conditions;
  const refused = conditions.some(({ type, status }) => type === "Programmed" && !status);
  if (refused) return conditions;
  const others = conditions.filter(({ type }) => type !== "Programmed");
  const { holds: status, reason, message } = facts.programmed(listener);
  return [...others, { type: "Programmed", status, reason, message }];
}

/** Our parents' parts, behind those of other controllers, which stay as they are. */
function ofRoute(outcome: Outcome, facts: StatusFacts): Status | null {
  const before = facts.status?.parents ?? [];
  const others = before.filter(({ controllerName }) => controllerName !== CONTROLLER_NAME);
  if (outcome.parents.length === 0 && others.length === before.length) return null;
  const ours = outcome.parents.map((parent): ParentStatus => {
    const parentRef = refOf(parent);
    const known = before.find((candidate) =>
      candidate.controllerName === CONTROLLER_NAME && sameRef(candidate.parentRef, parentRef)
    );
    return {
      parentRef,
      controllerName: CONTROLLER_NAME,
      conditions: conditionsOf(parent.conditions, known?.conditions, facts),
    };
  });
  return { parents: [...others, ...ours] };
}

/** Where an Ingress of ours is served; of another controller's nothing is said. */
function ofIngress({ conditions, addresses }: Outcome, { status }: StatusFacts): Status | null {
  if (conditions.length === 0) return null;
  const accepted = conditions.some(({ type, status }) => type === "Accepted" && status);
  const ingress = accepted ? addresses.map((ip) => ({ ip })) : [];
  if (ingress.length === 0 && status?.loadBalancer?.ingress === undefined) return null;
  return { loadBalancer: { ingress } };
}

/** A policy at its Gateways, behind what other controllers say of it. */
function ofPolicy({ parents }: Outcome, facts: StatusFacts): Status | null {
  const before = facts.status?.ancestors ?? [];
  const others = before.filter(({ controllerName }) => controllerName !== CONTROLLER_NAME);
  if (parents.length === 0 && others.length === before.length) return null;
  const ours = parents.map((parent): AncestorStatus => {
    const ancestorRef = refOf(parent);
    const known = before.find((candidate) =>
      candidate.controllerName === CONTROLLER_NAME && sameRef(candidate.ancestorRef, ancestorRef)
    );
    return {
      ancestorRef,
      controllerName: CONTROLLER_NAME,
      conditions: conditionsOf(parent.conditions, known?.conditions, facts),
    };
  });
  return { ancestors: [...others, ...ours].slice(0, ANCESTORS) };
}

function refOf(
  { kind, namespace, name, sectionName, port }: ParentOutcome,
): ParentStatus["parentRef"] {
  return {
    group: GATEWAY_API,
    kind,
    namespace,
    name,
    ...(sectionName === "" ? {} : { sectionName }),
    ...(port === 0 ? {} : { port }),
  };
}

function sameRef(a: ParentStatus["parentRef"], b: ParentStatus["parentRef"]): boolean {
  return ["group", "kind", "namespace", "name", "sectionName", "port"].every((field) =>
    a[field] === b[field]
  );
}

/**
 * Returns the conditions of a list in the cluster's order: ours with the time of their last transition,
 * and those of types that other controllers write, unchanged. Types new to the list follow. The API server
 * refuses longer lists, so the last foreign ones are dropped where ours need the room.
 */
function conditionsOf(
  conditions: readonly Condition[],
  before: readonly StatusCondition[] = [],
  { generation, now }: StatusFacts,
): StatusCondition[] {
  const ours = new Map(conditions.map(({ type, status, reason, message }) => {
    const known = before.find((condition) => condition.type === type);
    const text = status ? "True" : "False";
    const condition: StatusCondition = {
      type,
      status: text,
      observedGeneration: generation,
      lastTransitionTime: known?.status === text ? known.lastTransitionTime : now,
      reason,
      message,
    };
    return [type, condition];
  }));
  let room = CONDITIONS - ours.size;
  const list: StatusCondition[] = [];
  for (const condition of before) {
    const own = ours.get(condition.type);
    if (own !== undefined) list.push(own);
    else if (!isOwnCondition(condition.type) && room-- > 0) list.push(condition);
    ours.delete(condition.type);
  }
  return [...list, ...ours.values()];
}
