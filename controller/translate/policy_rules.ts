import { bytesOf, milliseconds } from "../../api/schema.ts";
import { cidrProblem } from "../../common/cidr.ts";
import { fieldProblem } from "../../common/field_problem.ts";
import {
  Cors,
  type Field,
  FieldEdit,
  IpList,
  RequestLimits,
} from "../../proto/gen/novaedge/v1/config.ts";
import type { PolicyObject, TranslatedRule } from "./policy_rule.ts";

const TOKEN = /^[A-Za-z0-9!#$%&'*+\-.^_`|~]+$/;
/** Scheme and host with at most one "*" as leftmost label, and a port. */
const ORIGIN = /^(\*|null|[a-z][a-z0-9+.-]*:\/\/(\*\.)?[a-z0-9.-]+(:(\d{1,5}|\*))?)$/i;

/** Why these cannot stand in a CORS configuration; "" when they can. */
export function corsProblem(origins: readonly string[], names: readonly string[]): string {
  const badOrigin = origins.find((origin) => !ORIGIN.test(origin));
  if (badOrigin !== undefined) return `allowOrigins: "${badOrigin}" is not an origin`;
  const badName = names.find((name) => !TOKEN.test(name));
  return badName === undefined ? "" : `not a token: "${badName}"`;
}

/** Translates CORS. */
export function corsRule(policy: PolicyObject): TranslatedRule {
  const cors = policy.body.spec.cors!;
  const invalid = (problem: string) => ({ problem: `spec.cors.${problem}`, reason: "Invalid" });
  const { allowOrigins = [], allowMethods, allowHeaders = [], exposeHeaders = [] } = cors;
  const names = [...allowMethods ?? [], ...allowHeaders, ...exposeHeaders];
  const problem = corsProblem(allowOrigins, names);
  if (problem !== "") return invalid(problem);
  if (cors.allowCredentials === true && allowOrigins.includes("*")) {
    return invalid(
      "allowCredentials cannot go with every origin: any page could act for its users",
    );
  }
  const value = Cors.create({
    origins: allowOrigins.map((origin) => origin.toLowerCase()),
    methods: allowMethods ?? ["GET", "HEAD", "POST"],
    headers: allowHeaders,
    expose: exposeHeaders,
    credentials: cors.allowCredentials === true,
    maxAge: Math.floor(milliseconds(cors.maxAge ?? "0") / 1000),
  });
  return { rule: { $case: "cors", value } };
}

/** Translates IPAllowList and IPDenyList. */
export function ipListRule(policy: PolicyObject): TranslatedRule {
  const { cidrs, sourceHeader = "" } = policy.body.spec.ipList!;
  const problem = cidrProblem(cidrs) ?? (sourceHeader === "" ? null : fieldProblem(sourceHeader));
  if (problem !== null) return { problem: `spec.ipList: ${problem}`, reason: "Invalid" };
  const value = IpList.create({
    deny: policy.body.spec.type === "IPDenyList",
    cidrs,
    sourceHeader: sourceHeader.toLowerCase(),
  });
  return { rule: { $case: "ipList", value } };
}

/** Translates SecurityHeaders: fields set on every answer. */
export function securityHeadersRule(policy: PolicyObject): TranslatedRule {
  const headers = policy.body.spec.securityHeaders!;
  const add: Field[] = [];
  const field = (name: string, value: string | undefined) => {
    if (value !== undefined) add.push({ name, value });
  };
  const { hsts } = headers;
  if (hsts !== undefined && hsts.enabled !== false) {
    const { maxAge = 31_536_000, includeSubDomains = false, preload = false } = hsts;
    field(
      "strict-transport-security",
      `max-age=${maxAge}${includeSubDomains ? "; includeSubDomains" : ""}${
        preload ? "; preload" : ""
      }`,
    );
  }
  field("content-security-policy", headers.contentSecurityPolicy);
  field("x-frame-options", headers.xFrameOptions);
  field("x-content-type-options", headers.xContentTypeOptions === false ? undefined : "nosniff");
  field("x-xss-protection", headers.xXssProtection);
  field("referrer-policy", headers.referrerPolicy);
  field("permissions-policy", headers.permissionsPolicy);
  field("cross-origin-embedder-policy", headers.crossOriginEmbedderPolicy);
  field("cross-origin-opener-policy", headers.crossOriginOpenerPolicy);
  field("cross-origin-resource-policy", headers.crossOriginResourcePolicy);
  for (const { name, value } of add) {
    const problem = fieldProblem(name, value);
    if (problem !== null) return { problem: `spec.securityHeaders: ${problem}`, reason: "Invalid" };
  }
  const value = FieldEdit.create({ remove: add.map(({ name }) => name), add });
  return { rule: { $case: "answerFields", value } };
}

/** Translates RequestLimits. */
export function requestLimitsRule(policy: PolicyObject): TranslatedRule {
  const { maxBodySize, methods = [], idleTimeout } = policy.body.spec.requestLimits!;
  const bad = methods.find((method) => !TOKEN.test(method));
  if (bad !== undefined) {
    return { problem: `spec.requestLimits.methods: "${bad}" is no method`, reason: "Invalid" };
  }
  const value = RequestLimits.create({
    maxBodyBytes: bytesOf(maxBodySize ?? "0"),
    methods: methods.map((method) => method.toUpperCase()),
    idleTimeoutMs: milliseconds(idleTimeout ?? "0"),
  });
  return { rule: { $case: "requestLimits", value } };
}
