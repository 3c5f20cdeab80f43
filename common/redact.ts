/**
 * Redacts secrets from configuration and errors before they reach dumps, logs, `why`, statuses and error
 * bodies. The dataplane gets the unredacted values. docs/guides/observing.md lists what is redacted.
 */

/** Replaces a secret. */
export const REDACTED = "[redacted]";

/** Substrings of names (letters and digits only) whose header, cookie or parameter values are secrets. */
export const SECRET_PARTS: readonly string[] = [
  "accesskey",
  "apikey",
  "authorization",
  "bearer",
  "clientcert",
  "cookie",
  "credential",
  "jwt",
  "passphrase",
  "passwd",
  "password",
  "privatekey",
  "secret",
  "session",
  "signature",
  "token",
];
/** Words of such names, between other characters. */
export const SECRET_WORDS: ReadonlySet<string> = new Set([
  "auth",
  "code",
  "key",
  "otp",
  "pass",
  "pin",
  "pwd",
  "sid",
  "sig",
]);

/** Returns whether the value of a header field, cookie or parameter with this name is a secret. */
export function isSecretName(name: string): boolean {
  const lower = name.toLowerCase();
  const letters = lower.replace(/[^a-z0-9]/g, "");
  return SECRET_PARTS.some((part) => letters.includes(part)) ||
    lower.split(/[^a-z0-9]+/).some((word) => SECRET_WORDS.has(word));
}

/** Each matches in linear time: no two unbounded parts of a pattern match the same characters. */
const PATTERNS: readonly (readonly [RegExp, string])[] = [
  // A truncated PEM block extends to the end of the text.
  [
    /-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY-----[^]*?(?:-----END [A-Z0-9 ]{0,40}PRIVATE KEY-----|$)/g,
    REDACTED,
  ],
  // The same as the base64 of a Secret's data: "-----BEGIN".
  [/LS0tLS1CRUdJT[A-Za-z0-9+/]*={0,2}/g, REDACTED],
  // Header fields in a text, to the end of their line.
  [
    /(?<![\w/.-])((?:proxy-)?authorization|(?:set-)?cookie|x-forwarded-client-cert|x-api-key)(:[ \t]*)[^\s][^\r\n]*/gi,
    `$1$2${REDACTED}`,
  ],
  // RFC 7617 and RFC 6750.
  [/\b(basic|bearer)([ \t]+|%20|\+)["']?[^\s,;"']+/gi, `$1$2${REDACTED}`],
  // JSON Web Tokens begin with the base64 of `{"`.
  [/eyJ[\w-]{8,}(?:\.[\w-]*){0,4}/g, REDACTED],
  // The user part of an authority (RFC 3986 section 3.2.1).
  [/\/\/[^\s/?#]*@/g, `//${REDACTED}@`],
  // Hashes of passwords: crypt(3), LDAP.
  [/\$(?:2[abxy]?|5|6|y|apr1|argon2\w{0,2})\$[^\s:"']+/g, REDACTED],
  [/\{S?SHA\d{0,3}\}[A-Za-z0-9+/=]+/gi, REDACTED],
];

/** Matches every text that a pattern or a parameter can match; most texts of a dump have none of these. */
const CANDIDATE = /[=@$:{]|eyJ|LS0t|-----|basic|bearer/i;

/** A parameter. The lookbehind makes a match start only where a name starts, so a long name is scanned once. */
const PARAMETER = /(?<![\w.%~-])([\w.%~-]+)=([^\s&#]+)/g;

/** A generated identifier: a long run of letters and digits, or a UUID. */
const OPAQUE = /[A-Za-z0-9_+=]{20,}/g;
const UUID = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/i;

/**
 * Returns a text without the secrets that have a recognizable form: private keys, credentials of HTTP
 * authentication, tokens, passwords in URLs, parameters with a secret's name. Takes linear time.
 */
export function redactText(text: string): string {
  if (!CANDIDATE.test(text)) return text;
  let shown = text;
  for (const [pattern, replacement] of PATTERNS) shown = shown.replace(pattern, replacement);
  if (!shown.includes("=")) return shown;
  return shown.replace(PARAMETER, (whole, name: string, value: string) => {
    if (!isSecretName(decoded(name))) return whole;
    // The closing quote belongs to the message around the parameter.
    return `${name}=${REDACTED}${value.endsWith('"') ? '"' : ""}`;
  });
}

/** Returns the value of a header field or parameter without secrets: by name, by form, or if it looks generated. */
export function redactValue(name: string, value: string): string {
  if (value === "") return value;
  return isSecretName(name) || looksOpaque(value) ? REDACTED : redactText(value);
}

/**
 * Returns a copy of a JSON-like value without secrets: the `value` beside a `name` by both, texts by their
 * form, bytes as a whole. A `body` stays: every client receives it.
 */
export function redactTree(value: unknown): unknown {
  if (typeof value === "string") return redactText(value);
  if (value instanceof Uint8Array) return value.length === 0 ? "" : REDACTED;
  if (Array.isArray(value)) return value.map(redactTree);
  if (typeof value !== "object" || value === null) return value;
  const { name } = value as { name?: unknown };
  return Object.fromEntries(
    Object.entries(value).map(([key, part]) => {
      if (key === "value" && typeof name === "string" && typeof part === "string") {
        return [key, redactValue(name, part)];
      }
      return [key, key === "body" ? part : redactTree(part)];
    }),
  );
}

function looksOpaque(value: string): boolean {
  if (UUID.test(value)) return true;
  for (const [run] of value.matchAll(OPAQUE)) {
    if (/\d/.test(run) && /[A-Za-z]/.test(run)) return true;
  }
  return false;
}

function decoded(name: string): string {
  try {
    return decodeURIComponent(name);
  } catch {
    return name;
  }
}
