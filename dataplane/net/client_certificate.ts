import { Buffer } from "node:buffer";
import { createHash, X509Certificate } from "node:crypto";
import type { RevocationList } from "./revocation_list.ts";
import { certificateParts, derElement, derElements, hex } from "./der.ts";

/** What a listener asks of client certificates. */
export interface ClientCertificatePolicy {
  readonly required: boolean;
  readonly authorities: readonly X509Certificate[];
  /** Certificates that were taken back. Where there are any, that of the client's issuer must be among them. */
  readonly revocations: readonly RevocationList[];
  /** Patterns with * of which the common name must match one, if there are any. */
  readonly commonNames: readonly string[];
  /** Alternative names of which the certificate must have one, if there are any. */
  readonly sans: readonly string[];
}

/** Outcome of a check. */
export type ClientCertificateCheck =
  | { readonly kind: "none" }
  | { readonly kind: "refused"; readonly reason: string }
  /** `fields`: the field line that tells backends about the certificate, CRLF included. */
  | { readonly kind: "verified"; readonly fields: string };

const NONE: ClientCertificateCheck = { kind: "none" };
/** Longest path from the client's certificate to an authority. */
const MAX_DEPTH = 8;
const EXTENDED_KEY_USAGE = "551d25";
const NAME_CONSTRAINTS = "551d1e";
const CLIENT_AUTH = "2b06010505070302";
const ANY_USAGE = "551d2500";

/**
 * Checks the chain that a client presented, whatever the TLS layer made of it: that a trusted authority
 * signed it, dates, usage, and what the listener asks of names.
 * @param now milliseconds since 1970
 */
export function checkClientCertificate(
  chain: readonly Uint8Array[],
  policy: ClientCertificatePolicy,
  now: number,
): ClientCertificateCheck {
  if (chain.length === 0) return NONE;
  const certificates: X509Certificate[] = [];
  for (const der of chain.slice(0, MAX_DEPTH)) {
    try {
      certificates.push(new X509Certificate(Buffer.from(der)));
    } catch {
      return refused("a certificate cannot be read");
    }
  }
  const [leaf, ...rest] = certificates;
  const usage = usageProblem(chain[0]);
  if (usage !== null) return refused(usage);
  if (!leadsToAuthority(leaf, rest, policy, now, 0)) {
    return refused("no trusted authority signed it, or it is not valid now");
  }
  const sans = (leaf.subjectAltName ?? "").split(", ").filter((san) => san !== "");
  const values = sans.map((san) => san.slice(san.indexOf(":") + 1));
  const commonName = /^CN=(.*)$/m.exec(leaf.subject ?? "")?.[1] ?? "";
  if (policy.commonNames.length > 0 && !policy.commonNames.some((p) => glob(p, commonName))) {
    return refused("its common name is not one of those asked for");
  }
  if (policy.sans.length > 0 && !policy.sans.some((san) => values.includes(san))) {
    return refused("it has none of the alternative names asked for");
  }
  return { kind: "verified", fields: certificateFields(chain[0], leaf, sans) };
}

function refused(reason: string): ClientCertificateCheck {
  return { kind: "refused", reason };
}

/** Certificates of version 1 cannot say what they are for, and their owners need not prove the key. */
function usageProblem(der: Uint8Array): string | null {
  const parts = certificateParts(der);
  if (parts === null || parts.version !== 3) return "it is not of version 3";
  for (const { id, value } of parts.extensions) {
    if (id !== EXTENDED_KEY_USAGE) continue;
    const list = derElement(value, 0, value.length);
    const usages = list === null
      ? []
      : [...derElements(value, list.start, list.end)].map(({ start, end }) =>
        hex(value.subarray(start, end))
      );
    if (!usages.includes(CLIENT_AUTH) && !usages.includes(ANY_USAGE)) {
      return "it is not meant for clients";
    }
  }
  return null;
}

function leadsToAuthority(
  certificate: X509Certificate,
  others: readonly X509Certificate[],
  policy: Pick<ClientCertificatePolicy, "authorities" | "revocations">,
  now: number,
  depth: number,
): boolean {
  const { authorities, revocations } = policy;
  if (!validAt(certificate, now) || depth > MAX_DEPTH) return false;
  const issuedBy = (issuer: X509Certificate) =>
    issuer.ca && certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey) &&
    !isRevoked(certificate, issuer, revocations, now, depth);
  for (const authority of authorities) {
    if (authority.fingerprint256 === certificate.fingerprint256) {
      return depth > 0 || !certificate.ca;
    }
    if (validAt(authority, now) && issuedBy(authority) && mayIssue(authority, depth)) return true;
  }
  return others.some((issuer) =>
    issuer !== certificate && mayIssue(issuer, depth) && issuedBy(issuer) &&
    leadsToAuthority(
      issuer,
      others.filter((other) => other !== issuer),
      policy,
      now,
      depth + 1,
    )
  );
}

/** Whether a certificate was taken back by its issuer, or may have been. */
function isRevoked(
  certificate: X509Certificate,
  issuer: X509Certificate,
  revocations: readonly RevocationList[],
  now: number,
  depth: number,
): boolean {
  const own = revocations.filter((list) => list.isOf(issuer));
  // Those who give lists know of clients; authorities in between seldom have any.
  if (own.length === 0) return revocations.length > 0 && depth === 0;
  return own.some((list) => list.nextUpdate < now || list.has(certificate));
}

const BASIC_CONSTRAINTS = "551d13";
const INTEGER = 0x02;

/** Whether an authority may stand `depth` intermediates above the client's certificate. */
function mayIssue(authority: X509Certificate, depth: number): boolean {
  const parts = certificateParts(authority.raw);
  if (parts === null || parts.version !== 3) return false;
  for (const { id, critical, value } of parts.extensions) {
    // A restriction on names that is not understood here must not be overlooked.
    if (id === NAME_CONSTRAINTS && critical) return false;
    if (id !== BASIC_CONSTRAINTS) continue;
    const list = derElement(value, 0, value.length);
    if (list === null) return false;
    for (const element of derElements(value, list.start, list.end)) {
      if (element.tag === INTEGER && value[element.end - 1] < depth) return false;
    }
  }
  return true;
}

function validAt(certificate: X509Certificate, now: number): boolean {
  return Date.parse(certificate.validFrom) <= now && now <= Date.parse(certificate.validTo);
}

/** Whether a text matches a pattern in which * stands for any characters. */
function glob(pattern: string, text: string): boolean {
  const parts = pattern.split("*").map((part) => part.replace(/[.+?^${}()|[\]\\]/g, "\\$&"));
  return new RegExp(`^${parts.join(".*")}$`, "i").test(text);
}

/** X-Forwarded-Client-Cert, in the form that Envoy made common. */
function certificateFields(der: Uint8Array, leaf: X509Certificate, sans: string[]): string {
  const hash = createHash("sha256").update(der).digest("hex");
  const subject = (leaf.subject ?? "").split("\n").reverse().join(",");
  let value = `Hash=${hash};Subject="${quotable(subject)}"`;
  for (const san of sans) {
    if (san.startsWith("URI:")) value += `;URI=${quotable(san.slice(4))}`;
    else if (san.startsWith("DNS:")) value += `;DNS=${quotable(san.slice(4))}`;
  }
  return `x-forwarded-client-cert: ${value}\r\n`;
}

/** Text that cannot end the value, the element or the line it stands in. */
function quotable(text: string): string {
  return text.replace(/[^\x20-\x7e]|[";,\\]/g, (character) =>
    encodeURIComponent(character)
      .replace(/[";,\\]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`));
}
