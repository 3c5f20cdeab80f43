import { type Static, Type } from "typebox";
import { type KindDefinition, unserved } from "./kind.ts";
import { labelSelector } from "./label_selector.ts";
import {
  bool,
  choice,
  closed,
  duration,
  hostname,
  integer,
  list,
  metadata,
  name,
  namedList,
  namespace,
  optional,
  port,
  secretReference,
  size,
  text,
} from "./schema.ts";

/** Suites with forward secrecy and authenticated encryption, by their names in the registry of TLS. */
const CIPHER_SUITES = [
  "TLS_AES_128_GCM_SHA256",
  "TLS_AES_256_GCM_SHA384",
  "TLS_CHACHA20_POLY1305_SHA256",
  "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
  "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
  "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
  "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
  "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
  "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
] as const;

/** Groups of the key exchange. */
const CURVES = ["X25519", "P-256", "P-384", "P-521"] as const;

const tls = () =>
  closed({
    secretRef: optional(secretReference()),
    minVersion: optional(choice(["TLS1.2", "TLS1.3"])),
    cipherSuites: optional(list(choice(CIPHER_SUITES))),
    ecdhCurves: optional(list(choice(CURVES))),
    certificateRef: optional(closed({
      group: optional(text()),
      kind: optional(text()),
      name: name(),
      namespace: optional(namespace()),
    })),
    acme: optional(closed({
      email: text(),
      server: optional(text()),
      challengeType: optional(choice(["http-01", "dns-01", "tls-alpn-01"], { default: "http-01" })),
      dnsProvider: optional(text()),
    })),
    selfSigned: optional(closed({
      organization: optional(text()),
      validity: optional(duration({ default: "8760h" })),
    })),
    vaultCertRef: optional(closed({
      path: text(),
      role: text(),
      ttl: optional(text()),
      cacheSecretName: optional(text()),
    })),
  });

const listener = closed({
  name: name(),
  port: port(),
  protocol: choice(["HTTP", "HTTPS", "HTTP3", "TCP", "TLS", "UDP"]),
  hostnames: optional(list(hostname(), { description: "Hosts served; any when empty." })),
  address: optional(text({ description: "Address to bind; every address when empty." })),
  allowedRoutes: optional(closed({
    namespaces: optional(closed({
      from: optional(choice(["Same", "Selector", "All"], { default: "Same" })),
      selector: optional(labelSelector()),
    })),
  })),
  tls: optional(tls()),
  tlsCertificates: optional(Type.Record(Type.String(), tls())),
  maxRequestBodySize: optional(integer(0, Number.MAX_SAFE_INTEGER, {
    description: "Bytes of the largest request body; 0 is no limit.",
  })),
  trustedProxies: optional(list(text(), {
    description:
      "CIDRs of peers whose X-Forwarded-* and Forwarded are believed; nobody when empty.",
  })),
  mergeSlashes: optional(bool({
    default: true,
    description: "Whether // counts as / where routes are matched; backends see what was sent.",
  })),
  escapedSlashes: optional(choice(["Keep", "Reject", "Redirect"], {
    description:
      "Paths with %2F or %5C: kept, where they never separate; 400; or 307 to the path with slashes. " +
      "Without it: Reject where a policy restricts any rule of the listener, since backends decode " +
      "them, else Keep.",
  })),
  untrustedHeaders: optional(list(text({ minLength: 1 }), {
    maxItems: 64,
    description:
      "Request headers removed unless a trusted proxy sends them, beside those always removed " +
      "(docs/security.md).",
  })),
  forwardedHeader: optional(bool({ description: "Send Forwarded (RFC 7239) to backends." })),
  connectionLimits: optional(closed({
    perWorker: optional(integer(1, 1_000_000)),
    perClient: optional(integer(1, 1_000_000, { description: "Of one address, per worker." })),
  })),
  allowedSourceRanges: optional(list(text(), {
    description: "CIDRs of the peers that may connect; all when empty.",
  })),
  clientAuth: optional(closed({
    mode: optional(choice(["none", "optional", "require"], { default: "none" })),
    caCertRef: optional(secretReference()),
    requiredCNPatterns: optional(list(text())),
    requiredSANs: optional(list(text())),
  })),
  ocspStapling: optional(bool()),
  proxyProtocol: optional(closed({
    enabled: optional(bool()),
    version: optional(integer(0, 2, { default: 0 })),
    trustedCIDRs: optional(list(text())),
  })),
  quic: optional(closed({
    enable0RTT: optional(bool({ default: false })),
    maxIdleTimeout: optional(duration({ default: "30s" })),
    maxBiStreams: optional(integer(0, Number.MAX_SAFE_INTEGER, { default: 100 })),
    maxUniStreams: optional(integer(0, Number.MAX_SAFE_INTEGER, { default: 100 })),
  })),
  sslRedirect: optional(bool()),
});

const schema = Type.Object({
  apiVersion: Type.Literal("novaedge.io/v1alpha1"),
  kind: Type.Literal("ProxyGateway"),
  metadata: metadata(),
  spec: closed({
    listeners: namedList(listener, { minItems: 1, maxItems: 64 }),
    accessLog: optional(closed({
      enabled: optional(bool({ default: true })),
      format: optional(choice(["json", "clf", "custom"], { default: "json" })),
      output: optional(choice(["stdout", "file", "both"], { default: "stdout" })),
      filePath: optional(text()),
      maxSize: optional(size()),
      maxBackups: optional(integer(0, 1000)),
      template: optional(text()),
      excludePaths: optional(list(text())),
      includeHeaders: optional(list(text())),
      filterStatusCodes: optional(list(integer(100, 599))),
      sampleRate: optional(Type.Number({ minimum: 0, maximum: 1 })),
    })),
    ingressClassName: optional(text()),
    loadBalancerClass: optional(text()),
    cache: optional(closed({
      enabled: optional(bool()),
      maxSize: optional(size()),
      defaultTTL: optional(duration()),
      maxTTL: optional(duration()),
      maxEntrySize: optional(size()),
    })),
    compression: optional(closed({
      enabled: optional(bool({ default: false })),
      algorithms: optional(list(choice(["gzip", "br", "zstd"]), {
        default: ["gzip", "br"],
        description: "The preferred first.",
      })),
      level: optional(integer(0, 11, {
        default: 6,
        description: "At most 9 for gzip and brotli; 4, then 1 while many are compressed at once.",
      })),
      minSize: optional(size({ default: "1024" })),
      types: optional(list(text({ minLength: 1 }), {
        description: "Media types with *; the usual ones when empty.",
      })),
      excludeTypes: optional(list(text({ minLength: 1 }))),
    })),
    customErrorPages: optional(list(closed({
      codes: list(integer(100, 599), { minItems: 1 }),
      path: optional(text()),
      body: optional(text({ description: "UTF-8; {status} and {reason} are filled in." })),
      contentType: optional(text({ default: "text/html" })),
      interceptBackend: optional(bool({
        description: "Stands for the answers of backends too, not only for the gateway's own.",
      })),
    }))),
    extProc: optional(closed({
      address: text(),
      failOpen: optional(bool({ default: false })),
      timeout: optional(duration()),
      processRequestHeaders: optional(bool()),
      processRequestBody: optional(bool()),
      processResponseHeaders: optional(bool()),
      processResponseBody: optional(bool()),
    })),
    redirectScheme: optional(closed({
      enabled: optional(bool()),
      scheme: optional(text({ default: "https" })),
      port: optional(integer(1, 65535, { default: 443 })),
      statusCode: optional(
        Type.Unsafe<301 | 302>({ type: "integer", enum: [301, 302], default: 301 }),
      ),
      exclusions: optional(list(text())),
    })),
    tracing: optional(closed({
      enabled: optional(bool({ default: true })),
      samplingRate: optional(integer(0, 100, {
        default: 1,
        description: "Percentage of new traces that are sampled; callers decide about theirs.",
      })),
      requestIdHeader: optional(text({ default: "X-Request-ID" })),
      generateRequestId: optional(bool({ default: true })),
      propagateRequestId: optional(bool({ default: true })),
    })),
  }),
});

export type ProxyGateway = Static<typeof schema>;
export type ProxyListener = ProxyGateway["spec"]["listeners"][number];

const L = "spec.listeners[]";

/** A set of listeners: where clients connect. */
export const PROXY_GATEWAY: KindDefinition<typeof schema> = {
  group: "novaedge.io",
  version: "v1alpha1",
  kind: "ProxyGateway",
  plural: "proxygateways",
  shortNames: ["pgw"],
  schema,
  status: Type.Object({
    conditions: optional(list(Type.Any())),
    observedGeneration: optional(integer(0, Number.MAX_SAFE_INTEGER)),
    listenerStatus: optional(list(Type.Object({
      name: text(),
      ready: bool(),
      reason: optional(text()),
    }))),
  }),
  columns: [
    { name: "Ingress Class", type: "string", jsonPath: ".spec.ingressClassName" },
    { name: "Age", type: "date", jsonPath: ".metadata.creationTimestamp" },
  ],
  rules: [{
    at: L,
    rule: '!has(self.clientAuth) || (has(self.clientAuth.mode) && self.clientAuth.mode == "none")' +
      ' || self.protocol == "HTTPS"',
    message: "clientAuth needs protocol HTTPS",
  }],
  unserved: [
    ...unserved(
      "listener",
      `${L}.tls.certificateRef`,
      `${L}.tls.acme`,
      `${L}.tls.selfSigned`,
      `${L}.tls.vaultCertRef`,
      `${L}.tlsCertificates{}.minVersion`,
      `${L}.tlsCertificates{}.cipherSuites`,
      `${L}.tlsCertificates{}.ecdhCurves`,
      `${L}.tlsCertificates{}.certificateRef`,
      `${L}.tlsCertificates{}.acme`,
      `${L}.tlsCertificates{}.selfSigned`,
      `${L}.tlsCertificates{}.vaultCertRef`,
      "spec.extProc",
    ),
    ...unserved(
      null,
      `${L}.ocspStapling`,
      `${L}.quic`,
      "spec.accessLog.format",
      "spec.accessLog.output",
      "spec.accessLog.filePath",
      "spec.accessLog.maxSize",
      "spec.accessLog.maxBackups",
      "spec.accessLog.template",
      "spec.accessLog.excludePaths",
      "spec.accessLog.includeHeaders",
      "spec.accessLog.filterStatusCodes",
      "spec.accessLog.sampleRate",
      "spec.ingressClassName",
      "spec.loadBalancerClass",
      "spec.cache",
      "spec.customErrorPages[].path",
      "spec.tracing.requestIdHeader",
      "spec.tracing.generateRequestId",
      "spec.tracing.propagateRequestId",
    ),
  ],
  strict: true,
};
