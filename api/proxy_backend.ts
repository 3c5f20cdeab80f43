import { type Static, Type } from "typebox";
import { type KindDefinition, unserved } from "./kind.ts";
import {
  bool,
  choice,
  closed,
  duration,
  integer,
  list,
  metadata,
  name,
  namespace,
  optional,
  port,
  text,
} from "./schema.ts";

const MAX = Number.MAX_SAFE_INTEGER;

const schema = Type.Object({
  apiVersion: Type.Literal("novaedge.io/v1alpha1"),
  kind: Type.Literal("ProxyBackend"),
  metadata: metadata(),
  spec: closed({
    serviceRef: optional(closed({ name: name(), namespace: optional(namespace()), port: port() })),
    endpoints: optional(list(
      closed({
        address: text({ minLength: 1, description: "IP address or DNS name." }),
        port: port(),
        weight: optional(integer(0, 1_000_000, { default: 1 })),
        zone: optional(text()),
        priority: optional(integer(0, 7, {
          description: "0 comes first; others take over as those before them fail.",
        })),
      }),
      { minItems: 1, maxItems: 10_000 },
    )),
    lbPolicy: optional(choice(
      [
        "RoundRobin",
        "P2C",
        "EWMA",
        "RingHash",
        "Maglev",
        "LeastConn",
        "SourceHash",
        "Sticky",
        "Random",
      ],
      { default: "RoundRobin" },
    )),
    hashKey: optional(closed({
      type: choice(["ClientIP", "Header", "Cookie", "Query", "URI"]),
      name: optional(text({ minLength: 1, description: "Of the header, cookie or parameter." })),
    }, {
      description:
        "What RingHash and Maglev keep together; the client's address by itself. URI is path and query.",
    })),
    protocol: optional(choice(["HTTP", "HTTPS", "gRPC", "gRPCS", "HTTP2"], {
      description: "HTTP, or what the Service port's appProtocol says, when it is not set.",
    })),
    connectTimeout: optional(duration({ default: "2s" })),
    idleTimeout: optional(duration({ default: "60s" })),
    connectionPool: optional(closed({
      maxConnsPerHost: optional(integer(0, 10_000, { description: "0 is no limit." })),
      maxIdleConns: optional(integer(1, 10_000, { default: 100 })),
      maxIdleConnsPerHost: optional(integer(1, 1000, { default: 256 })),
      idleConnTimeout: optional(duration({ default: "90s" })),
      maxConnectionAge: optional(duration({ description: "Age after which one is not reused." })),
      maxRequestsPerConnection: optional(integer(1, MAX)),
      prewarm: optional(integer(0, 100, {
        description: "Connections that each worker opens to an endpoint before the first request.",
      })),
    })),
    circuitBreaker: optional(closed({
      maxConnections: optional(integer(1, 100_000, { description: "Of an endpoint and worker." })),
      maxPendingRequests: optional(integer(1, 100_000, {
        description: "That wait for a connection to an endpoint, per worker.",
      })),
      maxRequests: optional(integer(1, 100_000, { description: "At once, of all workers." })),
      maxRetries: optional(integer(0, 10, {
        description: "Requests sent again at once, of all workers; 0 is none.",
      })),
      consecutiveFailures: optional(integer(1, MAX, {
        default: 5,
        description: "Failures in a row that open the breaker of an endpoint.",
      })),
      failureRatePercent: optional(integer(1, 100, {
        description: "Share of failures that opens the breaker of an endpoint, and of the backend.",
      })),
      minimumRequests: optional(integer(1, MAX, {
        default: 20,
        description: "Within interval, that it takes to judge by share.",
      })),
      interval: optional(duration({ default: "10s" })),
      baseEjectionTime: optional(duration({
        default: "30s",
        description: "Time that a breaker stays open at first.",
      })),
    })),
    panicThresholdPercent: optional(integer(0, 100, {
      default: 0,
      description: "Below this share of usable endpoints all are used.",
    })),
    locality: optional(choice(["Any", "SameZone"], {
      default: "Any",
      description: "SameZone prefers endpoints of the gateway's zone.",
    })),
    healthCheck: optional(closed({
      type: optional(choice(["HTTP", "TCP", "gRPC"], {
        description: "HTTP with httpPath, else TCP, when it is not set.",
      })),
      httpPath: optional(Type.String({ pattern: "^/" })),
      method: optional(choice(["GET", "HEAD", "OPTIONS", "POST"], { default: "GET" })),
      host: optional(text({ minLength: 1 })),
      port: optional(port({ description: "Asked instead of the endpoint's own." })),
      expectedStatuses: optional(list(
        Type.String({ pattern: "^[1-5][0-9][0-9](-[1-5][0-9][0-9])?$" }),
        { minItems: 1, description: '"200-299" when it is not set.' },
      )),
      expectedBody: optional(text({ minLength: 1, description: "Text that the body must have." })),
      grpcService: optional(text({ minLength: 1 })),
      plain: optional(bool({ description: "Ask in the clear although requests go by TLS." })),
      interval: optional(duration({ default: "10s" })),
      timeout: optional(duration({ default: "5s" })),
      healthyThreshold: optional(integer(1, MAX, { default: 2 })),
      unhealthyThreshold: optional(integer(1, MAX, { default: 3 })),
    })),
    outlierDetection: optional(closed({
      interval: optional(duration({ default: "10s" })),
      consecutive5xxThreshold: optional(integer(1, MAX, { default: 5 })),
      consecutiveGatewayErrors: optional(integer(1, MAX, {
        description: "Answers of 502 to 504, and requests without an answer.",
      })),
      maxEjectionDuration: optional(duration({ default: "300s" })),
      baseEjectionDuration: optional(duration({ default: "30s" })),
      maxEjectionPercent: optional(integer(0, 100, { default: 50 })),
      successRateMinHosts: optional(integer(0, MAX, { default: 5 })),
      successRateMinRequests: optional(integer(0, MAX, { default: 100 })),
      successRateStdevFactor: optional(Type.String({
        pattern: "^[0-9]+(\\.[0-9]+)?$",
        default: "1.9",
      })),
    })),
    retryPolicy: optional(closed({
      numRetries: optional(integer(0, 10, { default: 1 })),
      perTryTimeout: optional(duration({ default: "2s" })),
      retryOn: optional(text({ default: "5xx,gateway-error,connect-failure" })),
      retryBackoff: optional(closed({
        baseInterval: optional(duration({ default: "25ms" })),
        maxInterval: optional(duration({ default: "250ms" })),
      })),
    })),
    sessionAffinity: optional(closed({
      type: optional(choice(["Cookie", "Header", "SourceIP"], { default: "Cookie" })),
      cookieName: optional(text({ default: "NOVAEDGE_AFFINITY" })),
      cookiePath: optional(text({ default: "/" })),
      cookieTTL: optional(duration({ default: "0s" })),
      headerName: optional(text()),
      sameSite: optional(choice(["Strict", "Lax", "None"])),
      secure: optional(bool()),
    })),
    slowStart: optional(closed({
      window: duration(),
      aggression: optional(Type.String({
        pattern: "^[0-9]+(\\.[0-9]+)?$",
        default: "1.0",
        description: "1 grows evenly; greater ones faster at first.",
      })),
    })),
    tls: optional(closed({
      enabled: bool({ default: false }),
      mode: optional(choice(["verify", "skip-verify", "mtls"], { default: "verify" })),
      serverName: optional(text()),
      caCertSecretRef: optional(text({ minLength: 1 })),
      clientCertSecretRef: optional(text()),
      insecureSkipVerify: optional(bool()),
      subjectAltNames: optional(list(text({ minLength: 1 }), {
        description: "Names of which the certificate must have one; the server name when empty.",
      })),
      selfSigned: optional(bool()),
    })),
    upstreamProxyProtocol: optional(closed({
      enabled: optional(bool()),
      version: optional(integer(1, 2, { default: 1 })),
    })),
  }),
});

export type ProxyBackend = Static<typeof schema>;

/** Where requests are served: endpoints of a Service or listed ones. */
export const PROXY_BACKEND: KindDefinition<typeof schema> = {
  group: "novaedge.io",
  version: "v1alpha1",
  kind: "ProxyBackend",
  plural: "proxybackends",
  shortNames: ["pbe"],
  schema,
  status: Type.Object({
    conditions: optional(list(Type.Any())),
    endpointCount: optional(integer(0, MAX)),
    observedGeneration: optional(integer(0, MAX)),
  }),
  columns: [
    { name: "Service", type: "string", jsonPath: ".spec.serviceRef.name" },
    { name: "LB Policy", type: "string", jsonPath: ".spec.lbPolicy" },
    { name: "Endpoints", type: "integer", jsonPath: ".status.endpointCount" },
    { name: "Age", type: "date", jsonPath: ".metadata.creationTimestamp" },
  ],
  rules: [{
    at: "spec",
    rule: "has(self.serviceRef) != has(self.endpoints)",
    message: "exactly one of serviceRef and endpoints must be set",
  }, {
    at: "spec",
    rule: '!has(self.hashKey) || (has(self.lbPolicy) && self.lbPolicy in ["RingHash", "Maglev"])',
    message: "hashKey needs lbPolicy RingHash or Maglev",
  }, {
    at: "spec.hashKey",
    rule: 'self.type in ["ClientIP", "URI"] || has(self.name)',
    message: "hashKey of this type needs a name",
  }, {
    at: "spec.tls",
    rule: '!has(self.mode) || self.mode != "mtls" || has(self.clientCertSecretRef)',
    message: "mode mtls needs clientCertSecretRef",
  }, {
    at: "spec.sessionAffinity",
    rule: '!has(self.type) || self.type != "Header" || has(self.headerName)',
    message: "type Header needs headerName",
  }, {
    at: "spec.sessionAffinity",
    rule: '!has(self.sameSite) || self.sameSite != "None" || (has(self.secure) && self.secure)',
    message: "sameSite None needs secure",
  }],
  unserved: [
    ...unserved("backend", "spec.tls.selfSigned"),
    ...unserved(null, "spec.connectionPool.maxIdleConns"),
  ],
  strict: true,
};
