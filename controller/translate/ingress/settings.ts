import type { ProxyPolicySpec } from "../../../api/proxy_policy.ts";
import { cidrProblem } from "../../../common/cidr.ts";
import type { SourceObject } from "../source_object.ts";
import { templateProblem } from "../../../common/url_template.ts";
import { foreignSupport } from "./foreign_annotations.ts";
import { headerSnippet, type SnippetEdits } from "./header_snippet.ts";
import { referenceAnnotation } from "./reference_annotations.ts";
import { PREFIX, RESTRICTING, supportOf } from "./annotation_table.ts";

/** A policy of an Ingress, as a ProxyPolicy would say it. */
export type IngressPolicy = Omit<ProxyPolicySpec, "targetRef">;

/** When an Ingress gets a part of another one's requests. */
export interface Canary {
  readonly weight: number;
  readonly total: number;
  /** Field whose value decides, "" for none. */
  readonly header: string;
  readonly value: string;
  readonly pattern: string;
  readonly cookie: string;
}

/** What the annotations of an Ingress ask for. */
export interface IngressSettings {
  /** Why the Ingress must answer 503, "" when it need not. */
  readonly closed: string;
  /** Annotations that have no effect, and values that cannot be read. */
  readonly ignored: string[];
  readonly policies: readonly IngressPolicy[];
  readonly canary: Canary | null;
  /** Changes to header fields, null for none. */
  readonly headers: SnippetEdits | null;
  readonly text: (name: string) => string | undefined;
  readonly flag: (name: string) => boolean | undefined;
  readonly number: (name: string) => number | undefined;
}

const CORS_METHODS = ["GET", "PUT", "POST", "DELETE", "PATCH", "OPTIONS"];
const CORS_HEADERS = [
  ...["DNT", "Keep-Alive", "User-Agent", "X-Requested-With", "If-Modified-Since"],
  ...["Cache-Control", "Content-Type", "Range", "Authorization"],
];
const CORS_AGE = 1_728_000;
const BURST = 5;

/** What annotations of few values can say. */
const CHOICES: Readonly<Record<string, RegExp>> = {
  "auth-type": /^basic$/,
  "auth-secret-type": /^auth-file$/,
  "affinity": /^cookie$/,
  "backend-protocol": /^(HTTPS?|GRPCS?)$/i,
  "load-balance": /^(round_robin|ewma)$/,
  "permanent-redirect-code": /^30[12378]$/,
  "proxy-ssl-verify": /^(on|off)$/i,
  "session-cookie-samesite": /^(Strict|Lax|None)$/,
  "temporal-redirect-code": /^30[12378]$/,
  "upstream-hash-by":
    /^\$(request_uri|remote_addr|binary_remote_addr|http_\w+|cookie_\w+|arg_\w+)$/,
};
/** Those of them that restrict. */
const CLOSING = new Set([
  ...["auth-type", "auth-secret-type", "proxy-ssl-verify"],
  // The value is where clients are sent.
  ...["auth-signin", "permanent-redirect", "temporal-redirect", "app-root"],
]);
/** Those of them whose value may have variables of nginx. */
const TEMPLATES = new Set(["auth-signin", "permanent-redirect", "temporal-redirect", "app-root"]);

/** Why an annotation's value cannot be made for each request, or null. */
function variablesProblem(name: string, value: string): string | null {
  const problem = TEMPLATES.has(name) ? templateProblem(value) : "";
  return problem === "" ? null : `${name}: "${value}": ${problem}`;
}

/** Why an annotation cannot say that, or null. */
function valueProblem(name: string, value: string): string | null {
  if (CHOICES[name]?.test(value) !== false) return null;
  return `${name}: "${value}" is not served`;
}

/** Reads the annotations. What restricts and cannot be read closes the Ingress. */
export function settingsOf(
  { namespace, body: { metadata } }: SourceObject<"Ingress">,
): IngressSettings {
  const values = new Map<string, string>();
  const ignored: string[] = [];
  const closings: string[] = [];
  const close = (reason: string) => void closings.push(reason);
  for (const { key, name, value } of annotationsOf(metadata.annotations ?? {})) {
    const foreign = foreignSupport(key);
    const { support, restricts, note, neutral } = foreign ?? supportOf(name);
    const asks = value.trim() !== "" || (support === "yes" && RESTRICTING.test(name));
    // A value that says "off" asks for nothing.
    if (!asks || neutral?.test(value.trim()) === true) continue;
    if (support === "yes") {
      const problem = valueProblem(name, value.trim()) ?? variablesProblem(name, value.trim());
      if (problem === null) values.set(name, value.trim());
      else if (CLOSING.has(name)) close(problem);
      else ignored.push(problem);
    } else if (restricts) {
      const whose = foreign === null ? "" : ` of ${foreign.product}`;
      close(`annotation ${name}${whose} is not served${note === "" ? "" : `: ${note}`}`);
    } else ignored.push(`${name}${note === "" ? "" : ` (${note})`}`);
  }
  const text = (name: string) => values.get(name);
  const flag = (name: string) => {
    const value = values.get(name)?.toLowerCase();
    if (value === undefined || value === "true" || value === "false") {
      return value === undefined ? undefined : value === "true";
    }
    ignored.push(`${name}: "${value}" is neither true nor false`);
    return undefined;
  };
  const number = (name: string) => {
    const value = values.get(name);
    if (value === undefined) return undefined;
    if (/^\d{1,9}$/.test(value)) return Number(value);
    ignored.push(`${name}: "${value}" is no number`);
    return undefined;
  };
  const list = (name: string) =>
    (values.get(name) ?? "").split(",").map((entry) => entry.trim()).filter((entry) =>
      entry !== ""
    );
  const reader = { text, flag, number, list, close, namespace };
  const policies = [...addressPolicies(reader), ...limitPolicies(reader)];
  policies.push(...authPolicies(reader), ...corsPolicies(reader));
  const snippet = text("configuration-snippet");
  const headers = snippet === undefined ? null : headerSnippet(snippet);
  if (typeof headers === "string") close(`configuration-snippet: ${headers}`);
  const canary = canaryOf(reader);
  return {
    closed: closings.join("; "),
    ignored,
    policies,
    canary,
    headers: typeof headers === "string" ? null : headers,
    text,
    flag,
    number,
  };
}

/** The annotations that say how an Ingress is served, those of `novaedge.io/` by the names of ingress-nginx. */
function* annotationsOf(
  annotations: Readonly<Record<string, string>>,
): Generator<{ readonly key: string; readonly name: string; readonly value: string }> {
  for (const [key, value] of Object.entries(annotations)) {
    const own = referenceAnnotation(key, value);
    if (own !== null) yield { key, ...own };
    else if (key.startsWith(PREFIX)) yield { key, name: key.slice(PREFIX.length), value };
    else if (foreignSupport(key) !== null) yield { key, name: key, value };
  }
}

interface Reader {
  readonly text: (name: string) => string | undefined;
  readonly flag: (name: string) => boolean | undefined;
  readonly number: (name: string) => number | undefined;
  readonly list: (name: string) => string[];
  readonly close: (reason: string) => void;
  readonly namespace: string;
}

function addressPolicies({ text, list, close }: Reader): IngressPolicy[] {
  const policies: IngressPolicy[] = [];
  for (
    const [name, type] of [
      ["whitelist-source-range", "IPAllowList"],
      ["allowlist-source-range", "IPAllowList"],
      ["denylist-source-range", "IPDenyList"],
    ] as const
  ) {
    if (text(name) === undefined) continue;
    const cidrs = list(name);
    const problem = cidrs.length === 0 ? "no network" : cidrProblem(cidrs);
    if (problem !== null) close(`${name}: ${problem}`);
    else policies.push({ type, ipList: { cidrs } });
  }
  return policies;
}

function limitPolicies({ text, number, close }: Reader): IngressPolicy[] {
  const policies: IngressPolicy[] = [];
  const multiplier = number("limit-burst-multiplier") ?? BURST;
  for (
    const [name, field] of [
      ["limit-rps", "requestsPerSecond"],
      ["limit-rpm", "requestsPerMinute"],
    ] as const
  ) {
    if (text(name) === undefined) continue;
    const rate = number(name) ?? 0;
    if (rate < 1 || rate > 1_000_000) close(`${name}: "${text(name)}" is no rate`);
    else {policies.push({
        type: "RateLimit",
        rateLimit: { [field]: rate, burst: Math.max(1, rate * multiplier) },
      });}
  }
  return policies;
}

function authPolicies({ text, list, close, namespace }: Reader): IngressPolicy[] {
  const policies: IngressPolicy[] = [];
  const type = text("auth-type");
  if (type !== undefined || text("auth-secret") !== undefined) {
    const secret = (text("auth-secret") ?? "").split("/");
    if (type === undefined) close("auth-secret without auth-type");
    else if (secret.length === 2 && secret[0] !== namespace) {
      close("auth-secret: a Secret of another namespace");
    } else {
      const name = secret.at(-1)!;
      const realm = text("auth-realm");
      const basicAuth = {
        secretRef: { name },
        stripAuth: false,
        ...(realm === undefined ? {} : { realm }),
      };
      policies.push({ type: "BasicAuth", basicAuth });
    }
  }
  const tlsSecret = (text("proxy-ssl-secret") ?? "").split("/");
  if (tlsSecret.length === 2 && tlsSecret[0] !== namespace) {
    close("proxy-ssl-secret: a Secret of another namespace");
  }
  const url = text("auth-url");
  if (url === undefined) {
    if (text("auth-signin") !== undefined) close("auth-signin without auth-url");
    return policies;
  }
  if (url.includes("$")) {
    close(`auth-url: "${url}" has variables; the server that is asked must have a fixed address`);
  } else if (!URL.canParse(url)) close(`auth-url: "${url}" is not a URL`);
  else {policies.push({
      type: "ForwardAuth",
      forwardAuth: {
        address: url,
        responseHeaders: list("auth-response-headers"),
        clientResponseHeaders: ["set-cookie"],
      },
    });}
  return policies;
}

function corsPolicies({ flag, text, number, list }: Reader): IngressPolicy[] {
  if (flag("enable-cors") !== true) return [];
  const or = (name: string, standard: string[]) => text(name) === undefined ? standard : list(name);
  const allowOrigins = or("cors-allow-origin", ["*"]);
  const exposeHeaders = list("cors-expose-headers");
  return [{
    type: "CORS",
    cors: {
      allowOrigins,
      allowMethods: or("cors-allow-methods", CORS_METHODS),
      allowHeaders: or("cors-allow-headers", CORS_HEADERS),
      // Browsers refuse both together, and no site should have it.
      allowCredentials: (flag("cors-allow-credentials") ?? true) && !allowOrigins.includes("*"),
      maxAge: `${number("cors-max-age") ?? CORS_AGE}s`,
      ...(exposeHeaders.length === 0 ? {} : { exposeHeaders }),
    },
  }];
}

function canaryOf({ flag, text, number }: Reader): Canary | null {
  if (flag("canary") !== true) return null;
  const total = number("canary-weight-total") ?? 100;
  return {
    weight: Math.min(total, number("canary-weight") ?? 0),
    total,
    header: text("canary-by-header") ?? "",
    value: text("canary-by-header-value") ?? "",
    pattern: text("canary-by-header-pattern") ?? "",
    cookie: text("canary-by-cookie") ?? "",
  };
}

/** Bytes of a size as nginx writes it, "8m"; null when it cannot be read. */
export function nginxSize(text: string): number | null {
  const parts = /^(\d{1,9})([kmg]?)$/i.exec(text);
  if (parts === null) return null;
  const units: Readonly<Record<string, number>> = { "": 1, k: 2 ** 10, m: 2 ** 20, g: 2 ** 30 };
  return Number(parts[1]) * units[parts[2].toLowerCase()];
}
