import type { ProxyPolicySpec } from "../../api/proxy_policy.ts";
import {
  RateLimit,
  RateLimitKey,
  RateLimitKeyType,
  RedisAlgorithm,
  RedisLimit,
} from "../../proto/gen/novaedge/v1/config.ts";
import type { PolicyObject, TranslatedRule } from "./policy_rule.ts";
import { secretValue } from "./secret_value.ts";
import type { View } from "./view.ts";

type Settings = NonNullable<ProxyPolicySpec["rateLimit"]>;
type Distributed = NonNullable<ProxyPolicySpec["distributedRateLimit"]>;

const MINUTE = 60;

const KEY_TYPES: Readonly<Record<string, RateLimitKeyType>> = {
  ClientIP: RateLimitKeyType.RATE_LIMIT_KEY_TYPE_UNSPECIFIED,
  Header: RateLimitKeyType.RATE_LIMIT_KEY_TYPE_HEADER,
  Claim: RateLimitKeyType.RATE_LIMIT_KEY_TYPE_CLAIM,
  Path: RateLimitKeyType.RATE_LIMIT_KEY_TYPE_PATH,
  Cookie: RateLimitKeyType.RATE_LIMIT_KEY_TYPE_COOKIE,
  Query: RateLimitKeyType.RATE_LIMIT_KEY_TYPE_QUERY,
};

const ALGORITHMS: Readonly<Record<string, RedisAlgorithm>> = {
  "fixed-window": RedisAlgorithm.REDIS_ALGORITHM_FIXED_WINDOW,
  "sliding-window": RedisAlgorithm.REDIS_ALGORITHM_SLIDING_WINDOW,
  "token-bucket": RedisAlgorithm.REDIS_ALGORITHM_TOKEN_BUCKET,
};

/** Translates RateLimit and DistributedRateLimit. */
export function rateLimitRule(policy: PolicyObject, view: View): TranslatedRule {
  const { rateLimit, distributedRateLimit } = policy.body.spec;
  const distributed = policy.body.spec.type === "DistributedRateLimit"
    ? distributedRateLimit!
    : undefined;
  const place = distributed === undefined ? "spec.rateLimit" : "spec.distributedRateLimit";
  const settings: Settings = distributed ?? rateLimit!;
  const { requestsPerSecond, requestsPerMinute } = settings;
  const invalid = (problem: string) => ({ problem: `${place}: ${problem}`, reason: "Invalid" });
  if ((requestsPerSecond === undefined) === (requestsPerMinute === undefined)) {
    return invalid("exactly one of requestsPerSecond and requestsPerMinute must be set");
  }
  const rate = requestsPerSecond ?? requestsPerMinute! / MINUTE;
  const keys = keysOf(settings);
  if (typeof keys === "string") return invalid(keys);
  const message = RateLimit.create({
    rate,
    burst: settings.burst ?? Math.max(1, Math.ceil(rate)),
    keys,
    ipv6Prefix: settings.ipv6PrefixLength ?? 64,
  });
  if (distributed !== undefined) {
    const redis = redisOf(policy, distributed, view);
    if ("problem" in redis) return redis;
    message.redis = redis.limit;
  }
  return { rule: { $case: "rateLimit", value: message } };
}

/** What requests are counted by, or what is wrong with it. */
function keysOf({ key = "source-ip", keys }: Settings): RateLimitKey[] | string {
  if (keys === undefined) {
    return [
      key === "source-ip" ? RateLimitKey.create() : RateLimitKey.create({
        type: RateLimitKeyType.RATE_LIMIT_KEY_TYPE_HEADER,
        name: key.toLowerCase(),
      }),
    ];
  }
  for (const { type, name } of keys) {
    const named = type !== "ClientIP" && type !== "Path";
    if (named && name === undefined) return `a key of type ${type} needs a name`;
  }
  return keys.map(({ type, name = "" }) =>
    RateLimitKey.create({
      type: KEY_TYPES[type],
      name: type === "Header" ? name.toLowerCase() : name,
    })
  );
}

type FoundRedis =
  | { readonly limit: RedisLimit }
  | { readonly problem: string; readonly reason: string; readonly resolved?: boolean };

function redisOf(policy: PolicyObject, settings: Distributed, view: View): FoundRedis {
  const { address, clusterMode, database, password, tls } = settings.redisRef;
  const parts = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(address);
  if (parts === null) {
    const problem = `spec.distributedRateLimit.redisRef.address is not host:port`;
    return { problem, reason: "Invalid" };
  }
  let secret = "";
  if (password !== undefined) {
    const { name, key = "password" } = password;
    const found = view.get("Secret", policy.namespace, name);
    const value = found === null ? null : secretValue(found.body, key);
    if (value === null) {
      const problem = `Secret ${policy.namespace}/${name}: ${
        found === null ? "not found" : `${key} is missing`
      }`;
      return { problem, reason: "InvalidSecretRef", resolved: false };
    }
    secret = value.toString();
  }
  return {
    limit: RedisLimit.create({
      host: parts[1] ?? parts[2],
      port: Number(parts[3]),
      cluster: clusterMode === true,
      database: database ?? 0,
      password: secret,
      tls: tls === true,
      algorithm: ALGORITHMS[settings.algorithm ?? "sliding-window"],
    }),
  };
}
