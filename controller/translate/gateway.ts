import type { ConditionType } from "../../api/condition_types.ts";
import { fieldProblem } from "../../common/field_problem.ts";
import type { ProxyListener } from "../../api/proxy_gateway.ts";
import { cidrProblem } from "../../common/cidr.ts";
import {
  Compression,
  ErrorPage,
  EscapedSlashes,
  Gateway,
  Listener,
  Protocol,
  type Redirect,
} from "../../proto/gen/novaedge/v1/config.ts";
import { bytesOf } from "../../api/schema.ts";
import { Conditions } from "./conditions.ts";
import type { Derived } from "./derived.ts";
import { Kind } from "../../common/delta/resources.ts";
import { certificatesOf, clientAuthOf } from "./listener_tls.ts";
import { conflictsOf, LISTENER_PROTOCOLS, portClaims, proxyClaims } from "./listener_claims.ts";
import { policiesOf } from "./policy_targets.ts";
import { objectKey, type SourceObject } from "./source_object.ts";
import { unservedUses } from "./unserved.ts";
import type { View } from "./view.ts";

type GatewayObject = SourceObject<"ProxyGateway">;

const ESCAPED_SLASHES = {
  Keep: EscapedSlashes.ESCAPED_SLASHES_KEEP,
  Reject: EscapedSlashes.ESCAPED_SLASHES_REJECT,
  Redirect: EscapedSlashes.ESCAPED_SLASHES_REDIRECT,
} as const;

/** Translates a ProxyGateway: its listeners that can be served, and why the others cannot. */
export function deriveGateway(gateway: GatewayObject, view: View): Derived {
  const conditions = new Conditions().expect("Accepted").expect("ResolvedRefs");
  const closed = closedListeners(gateway, conditions);
  const listeners: Listener[] = [];
  const { spec } = gateway.body;
  const target = {
    kind: "ProxyGateway",
    namespace: gateway.namespace,
    name: gateway.name,
  } as const;
  const names = new Set<string>();
  const conflicts = conflictsOf(proxyClaims(gateway), portClaims(view), view);
  spec.listeners.forEach((listener, index) => {
    const fail = (type: ConditionType, reason: string, message: string) =>
      conditions.fail(type, reason, `listener ${listener.name}: ${message}`);
    if (names.has(listener.name)) {
      fail("Accepted", "Conflicted", "another listener of this gateway has the same name");
      return;
    }
    names.add(listener.name);
    const protocol = LISTENER_PROTOCOLS.get(listener.protocol);
    if (protocol === undefined) {
      fail("Accepted", "UnsupportedProtocol", `protocol ${listener.protocol} is not served yet`);
      return;
    }
    const conflict = conflicts[index];
    if (conflict !== null) {
      fail("Accepted", "Conflicted", conflict.message);
      return;
    }
    const certificates = protocol === Protocol.PROTOCOL_HTTPS
      ? certificatesOf(gateway, listener, view, fail)
      : [];
    if (protocol === Protocol.PROTOCOL_HTTPS && certificates.length === 0) return;
    const https = protocol === Protocol.PROTOCOL_HTTPS;
    const clientAuth = clientAuthOf(gateway, listener, view, fail);
    if (clientAuth !== undefined && !https) {
      fail("Accepted", "InvalidClientAuth", "clientAuth needs protocol HTTPS");
      return;
    }
    const proxies = listener.trustedProxies ?? [];
    const { proxyProtocol } = listener;
    const senders = proxyProtocol?.enabled === true ? proxyProtocol.trustedCIDRs ?? [] : [];
    const { allowedSourceRanges = [] } = listener;
    const badNetwork = cidrProblem([...proxies, ...senders, ...allowedSourceRanges]);
    if (badNetwork !== null) {
      fail("Accepted", "InvalidCIDR", badNetwork);
      return;
    }
    const { untrustedHeaders = [] } = listener;
    const [badHeader = null] = untrustedHeaders.map(removalProblem)
      .filter((problem) => problem !== null);
    if (badHeader !== null) {
      fail("Accepted", "InvalidHeader", `untrustedHeaders: ${badHeader}`);
      return;
    }
    listeners.push(Listener.create({
      name: listener.name,
      port: listener.port,
      protocol,
      hostnames: (listener.hostnames ?? []).map((hostname) => hostname.toLowerCase()),
      bindAddresses: listener.address === undefined ? [] : [listener.address],
      tls: https
        ? {
          certificates,
          minVersion: listener.tls?.minVersion ?? "",
          clientAuth,
          cipherSuites: listener.tls?.cipherSuites ?? [],
          curves: listener.tls?.ecdhCurves ?? [],
        }
        : undefined,
      proxyProtocol: proxyProtocol?.enabled === true
        ? { trustedCidrs: senders, version: proxyProtocol.version ?? 0 }
        : undefined,
      redirect: https ? undefined : redirectOf(gateway, listener),
      maxRequestBodyBytes: listener.maxRequestBodySize ?? 0,
      trustedProxies: proxies,
      forwarded: listener.forwardedHeader === true,
      keepsSlashes: listener.mergeSlashes === false,
      escapedSlashes: listener.escapedSlashes === undefined
        ? EscapedSlashes.ESCAPED_SLASHES_DEFAULT
        : ESCAPED_SLASHES[listener.escapedSlashes],
      untrustedFields: untrustedHeaders.map((name) => name.toLowerCase()),
      maxConnections: listener.connectionLimits?.perWorker ?? 0,
      maxConnectionsPerClient: listener.connectionLimits?.perClient ?? 0,
      closedReason: closed.get(index) ?? closed.get(-1) ?? "",
      policies: policiesOf(view, { ...target, section: listener.name }),
      allowedSources: allowedSourceRanges,
    }));
  });
  const message = Gateway.create({
    namespace: gateway.namespace,
    name: gateway.name,
    listeners,
    accessLog: { disabled: spec.accessLog?.enabled === false },
    policies: policiesOf(view, target),
    compression: compressionOf(gateway),
    errorPages: errorPagesOf(gateway, conditions),
    tracing: spec.tracing === undefined ? undefined : {
      disabled: spec.tracing.enabled === false,
      percent: spec.tracing.samplingRate ?? 1,
    },
  });
  return {
    outcome: conditions.outcome(gateway),
    resources: [{
      kind: Kind.KIND_GATEWAY,
      name: objectKey(gateway),
      body: Gateway.encode(message).finish(),
    }],
  };
}

function compressionOf({ body: { spec } }: GatewayObject): Compression | undefined {
  const { compression } = spec;
  if (compression?.enabled !== true) return undefined;
  return Compression.create({
    codings: compression.algorithms ?? ["gzip", "br"],
    level: compression.level ?? 6,
    minSize: bytesOf(compression.minSize ?? "1024"),
    types: compression.types ?? [],
    excludeTypes: compression.excludeTypes ?? [],
  });
}

function errorPagesOf({ body: { spec } }: GatewayObject, conditions: Conditions): ErrorPage[] {
  return (spec.customErrorPages ?? []).flatMap((page) => {
    const { codes, body = "", contentType = "text/html", interceptBackend = false } = page;
    if (!/^[\x20-\x7e]*$/.test(contentType)) {
      conditions.fail("Accepted", "InvalidErrorPage", `contentType "${contentType}"`);
      return [];
    }
    return [ErrorPage.create({ codes, contentType, body, intercept: interceptBackend })];
  });
}

/** Where a plain listener sends its requests: by its own sslRedirect or the gateway's redirectScheme. */
function redirectOf(gateway: GatewayObject, listener: ProxyListener): Redirect | undefined {
  const { redirectScheme } = gateway.body.spec;
  if (listener.sslRedirect === true) {
    return { scheme: "https", port: 443, status: 301, exclusions: [] };
  }
  if (redirectScheme?.enabled !== true) return undefined;
  const { scheme = "https", port = 443, statusCode = 301, exclusions = [] } = redirectScheme;
  return { scheme, port, status: statusCode, exclusions };
}

/** Why listeners must answer 500, by position; -1 stands for all of them. */
function closedListeners(gateway: GatewayObject, conditions: Conditions): Map<number, string> {
  const closed = new Map<number, string>();
  const uses = unservedUses(gateway);
  for (const { path, restricts } of uses) {
    if (restricts === null) continue;
    const position = /^spec\.listeners\[(\d+)\]/.exec(path);
    closed.set(position === null ? -1 : Number(position[1]), `${path} is not served yet`);
  }
  noteUnserved(conditions, uses.map(({ path }) => path));
  return closed;
}

/** Says which set fields have no effect yet. */
export function noteUnserved(conditions: Conditions, paths: readonly string[]): void {
  if (paths.length > 0) conditions.note("UnsupportedField", "NotServedYet", paths.join(", "));
}

/** Why a request must not lose a header, null when it may. */
function removalProblem(name: string): string | null {
  return name.toLowerCase() === "host" ? "no request can do without Host" : fieldProblem(name);
}
