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
  size,
  text,
} from "./schema.ts";

const MAX = Number.MAX_SAFE_INTEGER;

// deno-fmt-ignore
const JWT_ALGORITHMS = [
  "RS256", "RS384", "RS512", "PS256", "PS384", "PS512",
  "ES256", "ES384", "ES512", "EdDSA", "HS256", "HS384", "HS512",
] as const;

const localName = () => closed({ name: name() });

const limit = () => ({
  requestsPerSecond: optional(integer(1, 1_000_000)),
  requestsPerMinute: optional(integer(1, 60_000_000, {
    description: "Instead of requestsPerSecond.",
  })),
  burst: optional(integer(1, 1_000_000, {
    description: "Requests at once after a quiet time; those of one second when it is not set.",
  })),
  key: optional(text({ default: "source-ip", description: "source-ip, or the name of a header." })),
  keys: optional(list(
    closed({
      type: choice(["ClientIP", "Header", "Claim", "Path", "Cookie", "Query"]),
      name: optional(text({ minLength: 1, description: "Of header, claim, cookie, parameter." })),
    }),
    { minItems: 1, maxItems: 4, description: "Counted together, instead of key." },
  )),
  ipv6PrefixLength: optional(integer(1, 128, {
    default: 64,
    description: "IPv6 clients of one network of this length share a bucket.",
  })),
});

const unservedTypes = {
  oidc: optional(closed({
    provider: optional(choice(["generic", "keycloak"], { default: "generic" })),
    issuerURL: optional(text()),
    clientID: text(),
    clientSecretRef: localName(),
    sessionSecretRef: localName(),
    redirectURL: text(),
    scopes: optional(list(text(), { default: ["openid", "profile", "email"] })),
    forwardHeaders: optional(list(text())),
    authorization: optional(closed({
      mode: optional(choice(["any", "all"], { default: "any" })),
      requiredGroups: optional(list(text())),
      requiredRoles: optional(list(text())),
    })),
    keycloak: optional(closed({
      serverURL: text(),
      realm: text(),
      groupClaim: optional(text({ default: "groups" })),
      roleClaim: optional(text({ default: "realm_access.roles" })),
    })),
  })),
  meshAuthorization: optional(closed({
    action: choice(["ALLOW", "DENY"]),
    rules: list(
      closed({
        from: optional(list(closed({
          namespaces: optional(list(text())),
          serviceAccounts: optional(list(text())),
          spiffeIds: optional(list(text())),
        }))),
        to: optional(list(closed({
          methods: optional(list(text())),
          paths: optional(list(text())),
        }))),
      }),
      { minItems: 1 },
    ),
  })),
  waf: optional(closed({
    enabled: optional(bool({ default: true })),
    mode: optional(choice(["detection", "prevention"], { default: "prevention" })),
    paranoiaLevel: optional(integer(1, 4, { default: 1 })),
    anomalyThreshold: optional(integer(1, MAX, { default: 5 })),
    maxBodySize: optional(integer(0, MAX, { default: 131_072 })),
    responseBodyInspection: optional(bool()),
    maxResponseBodySize: optional(integer(0, MAX, { default: 131_072 })),
    customRules: optional(list(text())),
    ruleExclusions: optional(list(text())),
    rulesConfigMap: optional(localName()),
  })),
  wasmPlugin: optional(closed({
    source: text(),
    phase: optional(choice(["request", "response", "both"], { default: "request" })),
    priority: optional(integer(-MAX, MAX, { default: 100 })),
    config: optional(Type.Record(Type.String(), Type.String())),
    configRef: optional(localName()),
  })),
};

const schema = Type.Object({
  apiVersion: Type.Literal("novaedge.io/v1alpha1"),
  kind: Type.Literal("ProxyPolicy"),
  metadata: metadata(),
  spec: closed({
    targetRef: closed({
      group: optional(text()),
      kind: choice([
        "ProxyGateway",
        "ProxyRoute",
        "ProxyBackend",
        "Service",
        "Gateway",
        "HTTPRoute",
        "GRPCRoute",
      ]),
      name: name(),
      namespace: optional(namespace({ description: "The policy's own; another is refused." })),
      sectionName: optional(text({
        minLength: 1,
        description: "A listener of the gateway, or a named rule of the route.",
      })),
    }),
    type: choice([
      "RateLimit",
      "DistributedRateLimit",
      "JWT",
      "BasicAuth",
      "ForwardAuth",
      "CORS",
      "IPAllowList",
      "IPDenyList",
      "SecurityHeaders",
      "RequestLimits",
      "WAF",
      "WASMPlugin",
      "OIDC",
      "MeshAuthorization",
    ]),
    override: optional(bool({
      description: "Comes before policies of its type that are attached closer to the request.",
    })),
    rateLimit: optional(closed(limit())),
    distributedRateLimit: optional(closed({
      ...limit(),
      algorithm: optional(choice(["fixed-window", "sliding-window", "token-bucket"], {
        default: "sliding-window",
      })),
      redisRef: closed({
        address: text({ minLength: 1, description: "host:port" }),
        clusterMode: optional(bool()),
        database: optional(integer(0, 1_000_000, { default: 0 })),
        password: optional(closed({
          name: name(),
          key: optional(text({ default: "password" })),
        }, { description: "Secret in the policy's namespace." })),
        tls: optional(bool()),
      }),
    })),
    jwt: optional(closed({
      issuer: text({ minLength: 1 }),
      audience: optional(list(text({ minLength: 1 }), {
        description: "The token must be for one of them; any when empty.",
      })),
      jwksUri: optional(text({ minLength: 1, description: "Where the keys are." })),
      jwks: optional(text({ minLength: 1, description: "The keys, a JWK Set; no jwksUri." })),
      jwksRefresh: optional(duration({ default: "10m" })),
      jwksTimeout: optional(duration({ default: "5s" })),
      allowedAlgorithms: optional(list(choice(JWT_ALGORITHMS))),
      headerName: optional(text({ default: "Authorization" })),
      headerPrefix: optional(text({ default: "Bearer " })),
      cookieName: optional(text({ minLength: 1, description: "Read where the header is absent." })),
      queryParam: optional(text({ minLength: 1, description: "Read where both are absent." })),
      leeway: optional(duration({
        default: "30s",
        description: "By which clocks may differ for exp and nbf.",
      })),
      requireExpiration: optional(bool({
        default: false,
        description: "Refuse tokens without exp, which never end.",
      })),
      requiredClaims: optional(list(
        closed({
          name: text({ minLength: 1, description: "Nested claims with dots: realm_access.roles." }),
          values: optional(list(text(), {
            description: "The claim, or one of its list or space-separated words, is one of them.",
          })),
        }),
        { maxItems: 16 },
      )),
      claimsToHeaders: optional(list(
        closed({ claim: text({ minLength: 1 }), header: text({ minLength: 1 }) }),
        { maxItems: 16, description: "What clients send under these names is dropped." },
      )),
      forwardToken: optional(bool({ default: true, description: "Backends get the token too." })),
      vaultSecretRef: optional(closed({
        engine: optional(choice(["kv-v1", "kv-v2"], { default: "kv-v2" })),
        path: text(),
        key: text(),
        refreshInterval: optional(duration({ default: "5m" })),
      })),
    })),
    basicAuth: optional(closed({
      realm: optional(text({ default: "Restricted" })),
      secretRef: closed({ name: name() }, {
        description: "Its key htpasswd (or auth) has lines user:hash, by bcrypt, apr1 or {SHA}.",
      }),
      stripAuth: optional(
        bool({ default: true, description: "Backends do not get the password." }),
      ),
    })),
    forwardAuth: optional(closed({
      address: Type.String({ pattern: "^https?://" }),
      authHeaders: optional(list(text({ minLength: 1 }), {
        description: "Fields of the request that the server gets; all when empty.",
      })),
      responseHeaders: optional(list(text({ minLength: 1 }), {
        description: "Fields of its answer that go to the backend.",
      })),
      clientResponseHeaders: optional(list(text({ minLength: 1 }), {
        description: "Fields of a 2xx that go to the client with the response, as Set-Cookie.",
      })),
      timeout: optional(duration({ default: "5s" })),
      cacheTTL: optional(
        duration({ description: "Time that a yes is remembered; needs authHeaders." }),
      ),
      tls: optional(closed({
        caCertSecretRef: optional(text({ minLength: 1 })),
        serverName: optional(text()),
      })),
    })),
    cors: optional(closed({
      allowOrigins: optional(list(text({ minLength: 1 }), {
        maxItems: 256,
        description: "https://a.example, https://*.example, or *.",
      })),
      allowMethods: optional(list(text({ minLength: 1 }))),
      allowHeaders: optional(list(text({ minLength: 1 }), {
        description: "* allows what is asked for.",
      })),
      exposeHeaders: optional(list(text({ minLength: 1 }))),
      allowCredentials: optional(bool()),
      maxAge: optional(duration()),
    })),
    ipList: optional(closed({
      cidrs: list(text({ minLength: 1 }), { minItems: 1, maxItems: 10_000 }),
      sourceHeader: optional(text({
        minLength: 1,
        description: "Field with the client's address, believed of trusted proxies alone.",
      })),
    })),
    securityHeaders: optional(closed({
      hsts: optional(closed({
        enabled: optional(bool({ default: true })),
        maxAge: optional(integer(0, MAX, { default: 31_536_000, description: "Seconds." })),
        includeSubDomains: optional(bool()),
        preload: optional(bool()),
      })),
      contentSecurityPolicy: optional(text({ minLength: 1 })),
      xFrameOptions: optional(choice(["DENY", "SAMEORIGIN"])),
      xContentTypeOptions: optional(bool({ default: true })),
      xXssProtection: optional(text({ minLength: 1 })),
      referrerPolicy: optional(choice([
        "no-referrer",
        "no-referrer-when-downgrade",
        "origin",
        "origin-when-cross-origin",
        "same-origin",
        "strict-origin",
        "strict-origin-when-cross-origin",
        "unsafe-url",
      ])),
      permissionsPolicy: optional(text({ minLength: 1 })),
      crossOriginEmbedderPolicy: optional(
        choice(["unsafe-none", "require-corp", "credentialless"]),
      ),
      crossOriginOpenerPolicy: optional(
        choice(["unsafe-none", "same-origin-allow-popups", "same-origin"]),
      ),
      crossOriginResourcePolicy: optional(choice(["same-site", "same-origin", "cross-origin"])),
    })),
    requestLimits: optional(closed({
      maxBodySize: optional(size()),
      methods: optional(list(text({ minLength: 1 }), { description: "Others get 405." })),
      idleTimeout: optional(duration({
        description: "Time that a backend may go without a byte; 60s, of upgrades 300s.",
      })),
    })),
    ...unservedTypes,
  }),
});

export type ProxyPolicy = Static<typeof schema>;
export type ProxyPolicySpec = ProxyPolicy["spec"];

/** The field of each type's settings. */
export const POLICY_SETTINGS: Readonly<Record<string, keyof ProxyPolicySpec>> = {
  RateLimit: "rateLimit",
  DistributedRateLimit: "distributedRateLimit",
  JWT: "jwt",
  BasicAuth: "basicAuth",
  ForwardAuth: "forwardAuth",
  CORS: "cors",
  IPAllowList: "ipList",
  IPDenyList: "ipList",
  SecurityHeaders: "securityHeaders",
  RequestLimits: "requestLimits",
};

/** What requests must meet, and what answers carry, for a gateway, a route or a backend. */
export const PROXY_POLICY: KindDefinition<typeof schema> = {
  group: "novaedge.io",
  version: "v1alpha1",
  kind: "ProxyPolicy",
  plural: "proxypolicies",
  shortNames: [],
  schema,
  status: Type.Object({
    conditions: optional(list(Type.Any())),
    observedGeneration: optional(integer(0, MAX)),
  }),
  columns: [
    { name: "Type", type: "string", jsonPath: ".spec.type" },
    { name: "Target Kind", type: "string", jsonPath: ".spec.targetRef.kind" },
    { name: "Target Name", type: "string", jsonPath: ".spec.targetRef.name" },
    { name: "Age", type: "date", jsonPath: ".metadata.creationTimestamp" },
  ],
  rules: [
    ...Object.entries(POLICY_SETTINGS).map(([type, settings]) => ({
      at: "spec",
      rule: `self.type != "${type}" || has(self.${settings})`,
      message: `type ${type} needs ${settings}`,
    })),
    {
      at: "spec.cors",
      rule: "!has(self.allowCredentials) || !self.allowCredentials || " +
        '!has(self.allowOrigins) || !self.allowOrigins.exists(o, o == "*")',
      message: "allowCredentials cannot go with every origin: any page could act for its users",
    },
  ],
  unserved: unserved(
    "policy",
    "spec.oidc",
    "spec.meshAuthorization",
    "spec.waf",
    "spec.wasmPlugin",
    "spec.jwt.vaultSecretRef",
  ),
  strict: true,
};
