import { HashKey as HashKeyMessage, HashKeyType } from "../../proto/gen/novaedge/v1/config.ts";
import { hash32 } from "../balancer/hash.ts";
import { cookieValue } from "../message/cookie.ts";
import type { RouteRequest } from "../router/compiled.ts";
import { queryValue } from "../router/predicates.ts";

/** What ties a request to an endpoint, as a 32-bit hash. */
export type HashKey = (request: RouteRequest) => number;

/** Compiles what requests are hashed by; a request without it is hashed by its client's address. */
export function hashKey(message: HashKeyMessage | undefined): HashKey {
  const { type, name } = message ?? HashKeyMessage.create();
  const part = partOf(type, name);
  return (request) => hash32(part(request) ?? request.clientAddress());
}

function partOf(type: HashKeyType, name: string): (request: RouteRequest) => string | null {
  switch (type) {
    case HashKeyType.HASH_KEY_TYPE_HEADER: {
      const lower = name.toLowerCase();
      return (request) => request.header(lower);
    }
    case HashKeyType.HASH_KEY_TYPE_COOKIE:
      return (request) => {
        const field = request.header("cookie");
        return field === null ? null : cookieValue(field, name);
      };
    case HashKeyType.HASH_KEY_TYPE_QUERY:
      return (request) => queryValue(request.query, name);
    case HashKeyType.HASH_KEY_TYPE_URI:
      return ({ path, query }) => query === "" ? path : `${path}?${query}`;
    default:
      return () => null;
  }
}
