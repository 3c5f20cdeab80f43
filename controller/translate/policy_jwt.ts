import { milliseconds } from "../../api/schema.ts";
import { fieldProblem } from "../../common/field_problem.ts";
import { Jwt } from "../../proto/gen/novaedge/v1/config.ts";
import type { PolicyObject, TranslatedRule } from "./policy_rule.ts";

/** Algorithms of a policy that names none: those with a public key. */
const PUBLIC_KEY = [
  ...["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"],
  ...["ES256", "ES384", "ES512", "EdDSA"],
];

/** Milliseconds between two looks at an issuer's keys, at least. */
const LEAST_REFRESH = 10_000;

/** Translates JWT. */
export function jwtRule(policy: PolicyObject): TranslatedRule {
  const jwt = policy.body.spec.jwt!;
  const invalid = (problem: string) => ({ problem: `spec.jwt: ${problem}`, reason: "Invalid" });
  const { jwksUri = "", jwks = "", allowedAlgorithms = [] } = jwt;
  if ((jwksUri === "") === (jwks === "")) {
    return invalid("exactly one of jwksUri and jwks must be set");
  }
  const bad = jwksUri === "" ? "" : urlProblem(jwksUri);
  if (bad !== "") return invalid(`jwksUri ${bad}`);
  const keys = jwks === "" ? null : keyProblem(jwks);
  if (keys !== null) return invalid(`jwks: ${keys}`);
  const symmetric = allowedAlgorithms.filter((name) => name.startsWith("HS"));
  if (symmetric.length > 0 && symmetric.length < allowedAlgorithms.length) {
    return invalid(
      "algorithms with a shared secret and with public keys cannot be allowed together",
    );
  }
  if (symmetric.length > 0 && jwks === "") {
    return invalid(`${symmetric[0]} needs the secret in jwks`);
  }
  const { claimsToHeaders = [], requiredClaims = [] } = jwt;
  for (const { header } of claimsToHeaders) {
    const problem = fieldProblem(header);
    if (problem !== null) return invalid(`claimsToHeaders: ${problem}`);
  }
  const value = Jwt.create({
    issuer: jwt.issuer,
    audiences: jwt.audience ?? [],
    jwksUri,
    jwks,
    refreshMs: Math.max(LEAST_REFRESH, milliseconds(jwt.jwksRefresh ?? "10m")),
    timeoutMs: milliseconds(jwt.jwksTimeout ?? "5s"),
    algorithms: allowedAlgorithms.length === 0 ? PUBLIC_KEY : allowedAlgorithms,
    header: (jwt.headerName ?? "Authorization").toLowerCase(),
    prefix: jwt.headerPrefix ?? "Bearer ",
    cookie: jwt.cookieName ?? "",
    queryParam: jwt.queryParam ?? "",
    leewayMs: milliseconds(jwt.leeway ?? "30s"),
    requiredClaims: requiredClaims.map(({ name, values = [] }) => ({ name, values })),
    claimsToHeaders: claimsToHeaders.map(({ claim, header }) => ({
      claim,
      header: header.toLowerCase(),
    })),
    stripToken: jwt.forwardToken === false,
    requiresExpiration: jwt.requireExpiration === true,
  });
  return { rule: { $case: "jwt", value } };
}

function urlProblem(text: string): string {
  if (!URL.canParse(text) || !/^https?:$/.test(new URL(text).protocol)) {
    return "is not a URL of http or https";
  }
  const { username, password } = new URL(text);
  return username + password === "" ? "" : "has a password in it";
}

/** Why a text is no JWK Set; the text itself may hold secrets and is not repeated. */
function keyProblem(text: string): string | null {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return "not JSON";
  }
  const { keys } = (parsed ?? {}) as { keys?: unknown };
  if (!Array.isArray(keys) || keys.length === 0) return "no keys";
  return keys.every((key) => typeof (key as { kty?: unknown } | null)?.kty === "string")
    ? null
    : "a key has no kty";
}
