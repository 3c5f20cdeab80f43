import ipaddr from "ipaddr.js";
import { mergeSlashes } from "../../common/path.ts";
import { type RateLimitKey, RateLimitKeyType } from "../../proto/gen/novaedge/v1/config.ts";
import { cookieValue } from "../message/cookie.ts";
import { queryValue } from "../router/predicates.ts";
import { claimAt, claimText } from "./claims.ts";
import type { PolicyRequest } from "./policy.ts";

/** What requests are counted by, as text. */
export type LimitKey = (request: PolicyRequest) => string;

/** Stands between the parts of a key, and in no part. */
const SEPARATOR = "\n";
/** Those without a header, claim or cookie share a bucket of their own. */
const MISSING = "\0";
/** Networks of clients remembered by address; more start over. */
const MEMO = 4096;

/** Compiles keys that are counted together. */
export function limitKey(keys: readonly RateLimitKey[], ipv6Prefix: number): LimitKey {
  const parts = keys.map((key) => partOf(key, ipv6Prefix));
  if (parts.length === 1) {
    const [part] = parts;
    return (request) => part(request) ?? MISSING;
  }
  return (request) => parts.map((part) => part(request) ?? MISSING).join(SEPARATOR);
}

function partOf(
  { type, name }: RateLimitKey,
  ipv6Prefix: number,
): (request: PolicyRequest) => string | null {
  switch (type) {
    case RateLimitKeyType.RATE_LIMIT_KEY_TYPE_HEADER:
      return (request) => request.header(name);
    case RateLimitKeyType.RATE_LIMIT_KEY_TYPE_COOKIE:
      return (request) => {
        const field = request.header("cookie");
        return field === null ? null : cookieValue(field, name);
      };
    case RateLimitKeyType.RATE_LIMIT_KEY_TYPE_QUERY:
      return (request) => queryValue(request.query, name);
    case RateLimitKeyType.RATE_LIMIT_KEY_TYPE_PATH:
      // Who writes a slash twice asks for the same.
      return (request) => mergeSlashes(request.path);
    case RateLimitKeyType.RATE_LIMIT_KEY_TYPE_CLAIM:
      return ({ claims }) => claims === null ? null : claimText(claimAt(claims, name));
    default: {
      const networks = new Map<string, string>();
      return (request) => {
        const address = request.clientAddress();
        if (!address.includes(":")) return address;
        let network = networks.get(address);
        if (network === undefined) {
          network = networkOf(address, ipv6Prefix);
          if (networks.size >= MEMO) networks.clear();
          networks.set(address, network);
        }
        return network;
      };
    }
  }
}

/** The network of an IPv6 address; an IPv4 address in IPv6 form counts as itself. */
function networkOf(text: string, prefix: number): string {
  if (!ipaddr.isValid(text)) return text;
  const address = ipaddr.process(text);
  if (!(address instanceof ipaddr.IPv6)) return address.toString();
  return ipaddr.IPv6.networkAddressFromCIDR(`${address.toString()}/${prefix}`).toString();
}
