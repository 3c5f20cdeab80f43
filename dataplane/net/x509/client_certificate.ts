import { createHash } from "node:crypto";
import { LIMIT } from "../../config/defaults.ts";
import { type AlternativeName, hasRequiredName } from "./alternative_names.ts";
import { type Certificate, readCertificate } from "./certificate.ts";
import { isForClients, pathProblem, type TrustSettings } from "./certification_path.ts";
import { commonNamesOf, printName } from "./distinguished_name.ts";
import { glob } from "./glob.ts";

/** What a listener asks of client certificates. */
export interface ClientCertificatePolicy extends Omit<TrustSettings, "now"> {
  /** Patterns with * of which every common name must match one, if there are any patterns. */
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

/**
 * Checks the chain that a client presented, whatever the TLS layer made of it: that a trusted authority
 * signed it, dates, usage, and what the listener asks of names. Never throws for any bytes.
 * @param chain certificates in DER, the client's own first
 * @param now milliseconds since 1970
 */
export function checkClientCertificate(
  chain: readonly Uint8Array[],
  policy: ClientCertificatePolicy,
  now: number,
): ClientCertificateCheck {
  if (chain.length === 0) return NONE;
  if (chain.length > LIMIT.certificateChain) {
    return refused(`more than ${LIMIT.certificateChain} certificates`);
  }
  const bytes = chain.reduce((sum, { length }) => sum + length, 0);
  if (bytes > LIMIT.certificateChainBytes) {
    return refused(`more than ${LIMIT.certificateChainBytes} bytes of certificates`);
  }
  const certificates: Certificate[] = [];
  for (const der of chain) {
    const certificate = readable(der);
    // One that stands beside the path and cannot be read proves nothing, and disproves nothing.
    if (certificate !== null) certificates.push(certificate);
    else if (certificates.length === 0) return refused("it cannot be read");
  }
  const [leaf] = certificates;
  const { extensions, subjectName } = leaf;
  // One of version 1 states no use, which leaves all of them (as OpenSSL has it, and with it other gateways).
  if (!isForClients(leaf)) return refused("it is not meant for clients");
  if (extensions.unknownCritical !== "") {
    return refused("it has a critical extension that is not understood");
  }
  const problem = pathProblem(certificates, { ...policy, now });
  if (problem !== "") return refused(problem);
  if (policy.commonNames.length > 0) {
    const names = commonNamesOf(subjectName);
    // A second common name must not hide behind a first one that is asked for.
    const match = names.length > 0 &&
      names.every((name) => policy.commonNames.some((pattern) => glob(pattern, name)));
    if (!match) return refused("its common name is not one of those asked for");
  }
  if (policy.sans.length > 0 && !hasRequiredName(policy.sans, extensions.alternativeNames)) {
    return refused("it has none of the alternative names asked for");
  }
  const fields = certificateFields(leaf);
  if (fields.length > LIMIT.certificateFieldBytes) return refused("its names are too long");
  return { kind: "verified", fields };
}

function readable(der: Uint8Array): Certificate | null {
  try {
    return readCertificate(der);
  } catch {
    return null;
  }
}

function refused(reason: string): ClientCertificateCheck {
  return { kind: "refused", reason };
}

/** X-Forwarded-Client-Cert, in the form that Envoy made common. */
function certificateFields({ raw, subjectName, extensions }: Certificate): string {
  const hash = createHash("sha256").update(raw).digest("hex");
  let value = `Hash=${hash};Subject="${printName(subjectName, quotableAttribute)}"`;
  for (const { type, value: name } of extensions.alternativeNames) {
    const label = LABELS[type];
    if (label !== undefined) value += `;${label}=${quotable(name)}`;
  }
  return `x-forwarded-client-cert: ${value}\r\n`;
}

const LABELS: { readonly [type in AlternativeName["type"]]?: string } = { uri: "URI", dns: "DNS" };

const encoder = new TextEncoder();

/** Text that cannot end the value, the element or the line it stands in: other bytes as %XX. */
function quotable(text: string): string {
  return text.replace(/[^\x20-\x7e]+|[";,\\]/g, (characters) =>
    Array.from(
      encoder.encode(characters),
      (byte) => `%${byte.toString(16).toUpperCase().padStart(2, "0")}`,
    ).join(""));
}

/** The same within a name, where + joins attributes. */
function quotableAttribute(text: string): string {
  return quotable(text).replaceAll("+", "%2B");
}
