import { isIP } from "node:net";
import { Kind } from "../../common/delta/resources.ts";
import { milliseconds } from "../../api/schema.ts";
import { Backend, HashKey, HashKeyType, LbPolicy } from "../../proto/gen/novaedge/v1/config.ts";
import { Conditions } from "./conditions.ts";
import type { Derived } from "./derived.ts";
import { noteUnserved } from "./gateway.ts";
import { affinityOf } from "./affinity.ts";
import { breakerOf, healthCheckOf, outlierDetectionOf, slowStartOf } from "./backend_health.ts";
import { type ServiceEndpoints, serviceEndpoints } from "./endpoints.ts";
import { GROUP, mayRefer } from "./grants.ts";
import { policiesOf } from "./policy_targets.ts";
import { backendRetry } from "./retry.ts";
import { objectKey, type SourceObject } from "./source_object.ts";
import { unservedUses } from "./unserved.ts";
import { servicePort } from "./service_port.ts";
import { upstreamOf } from "./upstream.ts";
import type { View } from "./view.ts";

/** Translates a ProxyBackend with the endpoints of its Service or its own. */
export function deriveBackend(backend: SourceObject<"ProxyBackend">, view: View): Derived {
  const conditions = new Conditions().expect("Accepted").expect("ResolvedRefs");
  const { namespace, name, body: { spec } } = backend;
  const uses = unservedUses(backend);
  const paths = uses.map(({ path }) => path);
  let closedReason = "";
  const restricting = uses.find(({ restricts }) => restricts !== null);
  if (restricting !== undefined) closedReason = `${restricting.path} is not served yet`;
  noteUnserved(conditions, paths);
  const found: FoundEndpoints = spec.endpoints === undefined
    ? referredEndpoints(backend, view, conditions)
    : {
      endpoints: ownEndpoints(spec.endpoints, conditions),
      networks: [],
      appProtocol: "",
    };
  const how = upstreamOf(backend, found.appProtocol, view, conditions);
  if (how.closedReason !== "") closedReason = how.closedReason;
  const pool = spec.connectionPool;
  const retry = spec.retryPolicy === undefined ? null : backendRetry(spec.retryPolicy);
  if (retry !== null && retry.problem !== "") {
    conditions.fail("Accepted", "InvalidRetry", `spec.retryPolicy.retryOn: ${retry.problem}`);
  }
  const affinity = affinityOf(backend, view, conditions);
  const message = Backend.create({
    namespace: backend.namespace,
    name: backend.name,
    lbPolicy: affinity.lbPolicy ?? POLICIES[spec.lbPolicy ?? "RoundRobin"],
    hashKey: affinity.hashKey ?? hashKeyOf(backend, conditions),
    connectTimeoutMs: milliseconds(spec.connectTimeout ?? "0"),
    idleTimeoutMs: milliseconds(spec.connectionPool?.idleConnTimeout ?? spec.idleTimeout ?? "0"),
    maxConnectionsPerEndpoint: spec.circuitBreaker?.maxConnections ??
      spec.connectionPool?.maxConnsPerHost ?? 0,
    maxIdlePerEndpoint: spec.connectionPool?.maxIdleConnsPerHost ?? 0,
    maxPendingRequests: spec.circuitBreaker?.maxPendingRequests ?? 0,
    endpoints: found.endpoints,
    networks: [...found.networks],
    closedReason,
    protocol: how.protocol,
    tls: how.tls,
    proxyProtocol: spec.upstreamProxyProtocol?.enabled === true
      ? spec.upstreamProxyProtocol.version ?? 1
      : 0,
    maxConnectionAgeMs: milliseconds(pool?.maxConnectionAge ?? "0"),
    maxRequestsPerConnection: pool?.maxRequestsPerConnection ?? 0,
    prewarmConnections: pool?.prewarm ?? 0,
    retry: retry?.policy,
    policies: policiesOf(view, { kind: "ProxyBackend", namespace, name }),
    servicePolicies: servicePolicies(backend, view),
    healthCheck: healthCheckOf(spec),
    outlierDetection: outlierDetectionOf(spec),
    breaker: breakerOf(spec),
    slowStart: slowStartOf(spec),
    panicPercent: spec.panicThresholdPercent ?? 0,
    preferZone: spec.locality === "SameZone",
    maxRequests: spec.circuitBreaker?.maxRequests ?? 0,
    maxRetries: spec.circuitBreaker?.maxRetries,
    affinity: affinity.cookie,
  });
  return {
    outcome: conditions.outcome(backend),
    resources: [{
      kind: Kind.KIND_BACKEND,
      name: objectKey(backend),
      body: Backend.encode(message).finish(),
    }],
  };
}

/** Policies of the Service behind a backend, which hold whoever leads there. */
function servicePolicies(
  { namespace, body }: SourceObject<"ProxyBackend">,
  view: View,
): string[] {
  const { serviceRef } = body.spec;
  if (serviceRef === undefined) return [];
  const service = { namespace: serviceRef.namespace ?? namespace, name: serviceRef.name };
  return policiesOf(view, { kind: "Service", ...service });
}

const POLICIES: Readonly<Record<string, LbPolicy>> = {
  RoundRobin: LbPolicy.LB_POLICY_ROUND_ROBIN,
  LeastConn: LbPolicy.LB_POLICY_LEAST_CONNECTIONS,
  Random: LbPolicy.LB_POLICY_RANDOM,
  P2C: LbPolicy.LB_POLICY_P2C,
  EWMA: LbPolicy.LB_POLICY_EWMA,
  RingHash: LbPolicy.LB_POLICY_RING_HASH,
  Maglev: LbPolicy.LB_POLICY_MAGLEV,
  SourceHash: LbPolicy.LB_POLICY_MAGLEV,
  // The cookie decides; who has none yet gets the next.
  Sticky: LbPolicy.LB_POLICY_ROUND_ROBIN,
};

const HASH_KEYS: Readonly<Record<string, HashKeyType>> = {
  ClientIP: HashKeyType.HASH_KEY_TYPE_UNSPECIFIED,
  Header: HashKeyType.HASH_KEY_TYPE_HEADER,
  Cookie: HashKeyType.HASH_KEY_TYPE_COOKIE,
  Query: HashKeyType.HASH_KEY_TYPE_QUERY,
  URI: HashKeyType.HASH_KEY_TYPE_URI,
};

const LABEL = /^\w(?:[\w-]{0,61}\w)?$/;

/** The address of an endpoint as it is connected to; null for what is none. */
function addressOf(text: string): string | null {
  const bare = /^\[(.*)\]$/.exec(text)?.[1];
  if (bare !== undefined) return isIP(bare) === 6 ? bare : null;
  if (isIP(text) !== 0) return text;
  const name = text.endsWith(".") ? text.slice(0, -1) : text;
  return name.length <= 253 && name.split(".").every((label) => LABEL.test(label)) ? text : null;
}

/** The endpoints that a backend lists; those without an address are left out. */
function ownEndpoints(
  given: NonNullable<SourceObject<"ProxyBackend">["body"]["spec"]["endpoints"]>,
  conditions: Conditions,
): FoundEndpoints["endpoints"] {
  return given.flatMap(({ address: text, port, weight = 1, zone = "", priority = 0 }, index) => {
    const address = addressOf(text);
    if (address !== null) return [{ address, port, weight, zone, priority, ready: false }];
    conditions.fail(
      "Accepted",
      "InvalidEndpoint",
      `spec.endpoints[${index}].address: "${text}" is neither an IP address nor a DNS name ` +
        "(without scheme and port)",
    );
    return [];
  });
}

/** What requests are hashed by; the client's address where nothing else is asked for. */
function hashKeyOf(
  { body: { spec } }: SourceObject<"ProxyBackend">,
  conditions: Conditions,
): HashKey | undefined {
  const { hashKey, lbPolicy = "RoundRobin" } = spec;
  if (hashKey === undefined) return undefined;
  if (lbPolicy !== "RingHash" && lbPolicy !== "Maglev") {
    conditions.fail("Accepted", "InvalidHashKey", `hashKey needs lbPolicy RingHash or Maglev`);
    return undefined;
  }
  const { type, name = "" } = hashKey;
  if (type !== "ClientIP" && type !== "URI" && name === "") {
    conditions.fail("Accepted", "InvalidHashKey", `hashKey of type ${type} needs a name`);
    return undefined;
  }
  return HashKey.create({ type: HASH_KEYS[type], name });
}

interface FoundEndpoints extends ServiceEndpoints {
  /** What the Service port says it speaks, "" for nothing. */
  readonly appProtocol: string;
}

const NO_ENDPOINTS: FoundEndpoints = { endpoints: [], networks: [], appProtocol: "" };

function referredEndpoints(
  backend: SourceObject<"ProxyBackend">,
  view: View,
  conditions: Conditions,
): FoundEndpoints {
  const { namespace = backend.namespace, name, port } = backend.body.spec.serviceRef!;
  const label = `${namespace}/${name}`;
  const from = { group: GROUP, kind: "ProxyBackend", namespace: backend.namespace };
  if (!mayRefer(view, from, { group: "", kind: "Service", namespace, name })) {
    conditions.fail("ResolvedRefs", "RefNotPermitted", `no ReferenceGrant for Service ${label}`);
    return NO_ENDPOINTS;
  }
  const found = servicePort(view.get("Service", namespace, name), port, view);
  if ("reason" in found) {
    conditions.fail("ResolvedRefs", found.reason, `Service ${label}: ${found.message}`);
    return NO_ENDPOINTS;
  }
  return {
    ...serviceEndpoints(found.service, found.port, view),
    appProtocol: found.port.appProtocol ?? "",
  };
}
