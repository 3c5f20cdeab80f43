import { milliseconds } from "../../api/schema.ts";
import { fieldProblem } from "../../common/field_problem.ts";
import {
  Backend,
  BasicAuth,
  type Credential,
  ForwardAuth,
  LbPolicy,
} from "../../proto/gen/novaedge/v1/config.ts";
import { authoritiesProblem } from "./certificate.ts";
import type { PolicyObject, TranslatedRule } from "./policy_rule.ts";
import { secretValue } from "./secret_value.ts";
import { objectKey } from "./source_object.ts";
import type { View } from "./view.ts";

const HASH =
  /^(\$2[aby]\$\d\d\$[./A-Za-z0-9]{53}|\$apr1\$[./A-Za-z0-9]{0,8}\$[./A-Za-z0-9]{22}|\{SHA\}[A-Za-z0-9+/]{27}=)$/;
/** Each step of a bcrypt cost doubles the time, which at 12 is a quarter of a second. */
const MOST_COST = 14;
/** Keys of a Secret that hold lines of htpasswd: the reference project's, and ingress-nginx's. */
const HTPASSWD = ["htpasswd", ".htpasswd", "auth"];

/** Translates BasicAuth. */
export function basicAuthRule(policy: PolicyObject, view: View): TranslatedRule {
  const { realm = "Restricted", secretRef, stripAuth = true } = policy.body.spec.basicAuth!;
  const label = `Secret ${policy.namespace}/${secretRef.name}`;
  const found = view.get("Secret", policy.namespace, secretRef.name);
  const unresolved = (problem: string) => ({
    problem: `${label}: ${problem}`,
    reason: "InvalidSecretRef",
    resolved: false,
  });
  if (found === null) return unresolved("not found");
  const text = HTPASSWD.map((key) => secretValue(found.body, key)).find((value) => value !== null);
  if (text === undefined) return unresolved("htpasswd is missing");
  const credentials: Credential[] = [];
  const unreadable: string[] = [];
  for (const [index, line] of text.toString().split("\n").entries()) {
    const entry = line.trim();
    if (entry === "" || entry.startsWith("#")) continue;
    const colon = entry.indexOf(":");
    const hash = entry.slice(colon + 1);
    // The line itself is not repeated: it is a secret.
    if (colon < 1 || !HASH.test(hash)) {
      unreadable.push(`line ${index + 1} is not user:hash by bcrypt, apr1 or {SHA}`);
      continue;
    }
    if (Number(/^\$2[aby]\$(\d\d)/.exec(hash)?.[1] ?? 0) > MOST_COST) {
      unreadable.push(`line ${index + 1} has a bcrypt cost above ${MOST_COST}`);
      continue;
    }
    credentials.push({ user: entry.slice(0, colon), hash });
  }
  if (credentials.length === 0) {
    return unresolved(unreadable.length === 0 ? "htpasswd has no users" : unreadable.join(", "));
  }
  if (!/^[\x20\x21\x23-\x5b\x5d-\x7e]*$/.test(realm)) {
    return { problem: "spec.basicAuth.realm must be ASCII without quotes", reason: "Invalid" };
  }
  const value = BasicAuth.create({ realm, credentials, strip: stripAuth });
  // One line that cannot be read shuts out its own user, and nobody else.
  const remarks = unreadable.map((problem) => `${label}: ${problem}; its user cannot log in`);
  return { rule: { $case: "basicAuth", value }, remarks };
}

/** Translates ForwardAuth: the server that is asked is a backend like any other. */
export function forwardAuthRule(policy: PolicyObject, view: View): TranslatedRule {
  const settings = policy.body.spec.forwardAuth!;
  const { address, authHeaders = [], responseHeaders = [], clientResponseHeaders = [] } = settings;
  const invalid = (problem: string) => ({
    problem: `spec.forwardAuth.${problem}`,
    reason: "Invalid",
  });
  if (!URL.canParse(address)) return invalid("address is not a URL");
  const url = new URL(address);
  if (url.username !== "" || url.password !== "") return invalid("address has a password in it");
  for (const header of [...authHeaders, ...responseHeaders, ...clientResponseHeaders]) {
    const problem = fieldProblem(header);
    if (problem !== null) return invalid(`${problem}`);
  }
  if (settings.cacheTTL !== undefined && authHeaders.length === 0) {
    return invalid("cacheTTL needs authHeaders: nobody knows which requests are the same");
  }
  const secure = url.protocol === "https:";
  let ca = "";
  const { caCertSecretRef, serverName = "" } = settings.tls ?? {};
  if (caCertSecretRef !== undefined) {
    const secret = view.get("Secret", policy.namespace, caCertSecretRef);
    const problem = secret === null ? "not found" : authoritiesProblem(secret.body);
    if (problem !== null) {
      return {
        problem: `Secret ${policy.namespace}/${caCertSecretRef}: ${problem}`,
        reason: "InvalidCertificateRef",
        resolved: false,
      };
    }
    ca = objectKey({ kind: "Secret", namespace: policy.namespace, name: caCertSecretRef });
  }
  const host = url.hostname.replace(/^\[|\]$/g, "");
  const backend = Backend.create({
    namespace: policy.namespace,
    name: policy.name,
    lbPolicy: LbPolicy.LB_POLICY_ROUND_ROBIN,
    endpoints: [{
      address: host,
      port: Number(url.port) || (secure ? 443 : 80),
      weight: 1,
      zone: "",
    }],
    tls: secure ? { serverName, ca, clientCertificate: "", insecure: false, sans: [] } : undefined,
  });
  const lower = (names: readonly string[]) => names.map((name) => name.toLowerCase());
  const value = ForwardAuth.create({
    backend: objectKey(policy),
    host: url.host,
    path: `${url.pathname}${url.search}`,
    requestFields: lower(authHeaders),
    answerFields: lower(responseHeaders),
    clientFields: lower(clientResponseHeaders),
    timeoutMs: milliseconds(settings.timeout ?? "5s"),
    cacheMs: milliseconds(settings.cacheTTL ?? "0"),
  });
  return { rule: { $case: "forwardAuth", value }, backend };
}
