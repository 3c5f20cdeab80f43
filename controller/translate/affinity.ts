import { fieldProblem } from "../../common/field_problem.ts";
import { milliseconds } from "../../api/schema.ts";
import { Affinity, HashKey, HashKeyType, LbPolicy } from "../../proto/gen/novaedge/v1/config.ts";
import type { Conditions } from "./conditions.ts";
import { objectKey, type SourceObject } from "./source_object.ts";
import type { View } from "./view.ts";

/** How a backend keeps clients at their endpoints; empty when it does not. */
export interface TranslatedAffinity {
  readonly cookie?: Affinity;
  /** Without a cookie, a hash does it. */
  readonly lbPolicy?: LbPolicy;
  readonly hashKey?: HashKey;
}

const COOKIE_NAME = /^[A-Za-z0-9!#$%&'*+\-.^_`|~]+$/;
const COOKIE_PATH = /^\/[^;\p{Cc}]*$/u;

/** Translates sessionAffinity, and lbPolicy Sticky, which is affinity by cookie. */
export function affinityOf(
  backend: SourceObject<"ProxyBackend">,
  view: View,
  conditions: Conditions,
): TranslatedAffinity {
  const { sessionAffinity, lbPolicy } = backend.body.spec;
  if (sessionAffinity === undefined && lbPolicy !== "Sticky") return {};
  const { type = "Cookie", headerName } = sessionAffinity ?? {};
  const invalid = (message: string): TranslatedAffinity => {
    conditions.fail("Accepted", "InvalidAffinity", `spec.sessionAffinity: ${message}`);
    return {};
  };
  const hashed = { lbPolicy: LbPolicy.LB_POLICY_MAGLEV };
  if (type === "SourceIP") return { ...hashed, hashKey: HashKey.create() };
  if (type === "Header") {
    const problem = headerName === undefined
      ? "type Header needs headerName"
      : fieldProblem(headerName);
    if (problem !== null) return invalid(problem);
    const hashKey = HashKey.create({ type: HashKeyType.HASH_KEY_TYPE_HEADER, name: headerName! });
    return { ...hashed, hashKey };
  }
  const { cookieName = "NOVAEDGE_AFFINITY", cookiePath = "/", cookieTTL = "0s" } =
    sessionAffinity ??
      {};
  const { sameSite = "", secure = false } = sessionAffinity ?? {};
  if (!COOKIE_NAME.test(cookieName)) return invalid(`cookieName "${cookieName}" is not a token`);
  if (!COOKIE_PATH.test(cookiePath)) return invalid(`cookiePath "${cookiePath}" is not a path`);
  if (sameSite === "None" && !secure) return invalid("sameSite None needs secure");
  return {
    cookie: Affinity.create({
      cookie: cookieName,
      path: cookiePath,
      ttl: Math.ceil(milliseconds(cookieTTL) / 1000),
      sameSite,
      secure,
      key: view.keyFor(`affinity ${objectKey(backend)}`),
    }),
  };
}
