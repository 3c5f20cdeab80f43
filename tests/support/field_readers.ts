import { CidrSet } from "../../common/cidr.ts";
import { compression } from "../../dataplane/router/compression.ts";
import { PLAIN_LISTENER } from "../../dataplane/router/port_table.ts";
import {
  type Backend,
  HashKey,
  HashKeyType,
  LbPolicy,
  Policy,
  RateLimitKeyType,
} from "../../proto/gen/novaedge/v1/config.ts";
import { Harness } from "./exchange_harness.ts";
import { endpointAt } from "./route_builders.ts";

type Rule = NonNullable<Policy["rule"]>;

/** Fields that one part or another of `fieldReaders` reads. */
export const READ_FIELDS = [
  ...["Accept-Encoding", "Access-Control-Request-Headers", "Access-Control-Request-Method"],
  ...["Authorization", "Connection", "Content-Type", "Cookie", "Expect", "Forwarded", "Host"],
  ...["If-None-Match", "Origin", "Range", "TE", "Traceparent", "Upgrade", "Via", "X-Client"],
  ...["X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Port", "X-Forwarded-Proto", "X-Key"],
  ...["X-Request-Id", "grpc-timeout"],
];

/** Paths of `fieldReaders`: policies that end a request stand behind paths of their own. */
export const READER_PATHS = ["/open", "/jwt", "/basic", "/forward"] as const;

const POLICIES: Readonly<Record<string, Rule>> = {
  cors: {
    $case: "cors",
    value: {
      origins: ["https://*.*.*.example.com", "https://*a*a*a*.test", "https://shop.test"],
      methods: ["*"],
      headers: ["*"],
      expose: [],
      credentials: true,
      maxAge: 60,
    },
  },
  rate: {
    $case: "rateLimit",
    value: {
      rate: 1e9,
      burst: 1e9,
      keys: [
        { type: RateLimitKeyType.RATE_LIMIT_KEY_TYPE_HEADER, name: "x-key" },
        { type: RateLimitKeyType.RATE_LIMIT_KEY_TYPE_COOKIE, name: "user" },
        { type: RateLimitKeyType.RATE_LIMIT_KEY_TYPE_QUERY, name: "user" },
        { type: RateLimitKeyType.RATE_LIMIT_KEY_TYPE_PATH, name: "" },
        { type: RateLimitKeyType.RATE_LIMIT_KEY_TYPE_UNSPECIFIED, name: "" },
      ],
      ipv6Prefix: 64,
      redis: undefined,
    },
  },
  ip: {
    $case: "ipList",
    value: { deny: true, cidrs: ["203.0.113.0/24"], sourceHeader: "x-client" },
  },
  jwt: {
    $case: "jwt",
    value: {
      issuer: "https://issuer.test",
      audiences: [],
      jwksUri: "",
      jwks: '{"keys":[]}',
      refreshMs: 0,
      timeoutMs: 1_000,
      algorithms: ["ES256"],
      header: "authorization",
      prefix: "Bearer ",
      cookie: "user",
      queryParam: "user",
      leewayMs: 0,
      requiredClaims: [],
      claimsToHeaders: [{ claim: "sub", header: "x-user" }],
      stripToken: true,
      requiresExpiration: false,
    },
  },
  basic: {
    $case: "basicAuth",
    value: { realm: "r", credentials: [{ user: "u", hash: "{SHA}0000" }], strip: true },
  },
  forward: {
    $case: "forwardAuth",
    value: {
      backend: "auth",
      host: "auth",
      path: "/verify",
      requestFields: [],
      answerFields: ["x-user"],
      clientFields: ["set-cookie"],
      timeoutMs: 5_000,
      cacheMs: 1_000,
      signin: "",
      signinVariables: false,
    },
  },
};

/**
 * Builds a worker that reads every field of `READ_FIELDS`: trusted proxies, Forwarded, compression,
 * CORS, rate limits by field, cookie and address, source addresses, conditions on fields, affinity and
 * hashing by cookie, traces, and on paths of their own JWT, basic and forward authentication.
 */
export function fieldReaders(): Harness {
  const edge = new Harness({
    ...PLAIN_LISTENER,
    trustedProxies: new CidrSet(["192.0.2.0/24", "10.0.0.0/8", "2001:db8::/32"]),
    forwarded: true,
    compression: compression(["gzip", "br", "zstd"], 6, 1, [], []),
    tracing: 1,
  });
  const backend: Partial<Backend> = {
    lbPolicy: LbPolicy.LB_POLICY_RING_HASH,
    endpoints: [endpointAt("10.0.0.1"), endpointAt("10.0.0.2")],
    hashKey: HashKey.fromPartial({ type: HashKeyType.HASH_KEY_TYPE_COOKIE, name: "user" }),
    affinity: {
      cookie: "edge",
      path: "/",
      ttl: 60,
      sameSite: "",
      secure: false,
      key: new Uint8Array(32),
    },
  };
  edge.backend("b", backend);
  edge.backend("auth", { endpoints: [endpointAt("10.0.0.9")] });
  for (const [name, rule] of Object.entries(POLICIES)) {
    edge.policies.prepare(name, Policy.fromPartial({ rule }))();
  }
  const shared = ["cors", "rate", "ip"];
  for (const path of READER_PATHS) {
    const own = path === "/open" ? [] : [path.slice(1)];
    // Of routes whose conditions fail, each reads its field again.
    for (const field of ["x-key", "cookie", "x-missing"]) {
      const never = { name: field, holds: (value: string) => value === "none", invert: false };
      edge.route(path, { headers: [never] });
    }
    edge.route(path, { clients: { has: () => false } });
    edge.route(path, { policies: [[...shared, ...own]] });
  }
  return edge;
}
