import { Buffer } from "node:buffer";
import { LIMIT } from "../../config/defaults.ts";
import { type Certificate, validAt } from "./certificate.ts";
import type { RevocationList } from "./revocation_list.ts";
import type { VerifySignature } from "./verify_signature.ts";

/** What a chain must lead to. */
export interface TrustSettings {
  readonly authorities: readonly Certificate[];
  /** Where there are any, the list of the issuer of a client's certificate must be among them. */
  readonly revocations: readonly RevocationList[];
  readonly verify: VerifySignature;
  /** Milliseconds since 1970. */
  readonly now: number;
}

/**
 * Signatures of one chain that may turn out wrong. Names and key identifiers are compared before, so an
 * honest chain has none, or one where an authority was given a new key under its old name.
 */
const MAX_WRONG_SIGNATURES = 1;

const CLIENT_AUTH = "2b06010505070302";
const ANY_USAGE = "551d2500";

/** Whether a certificate may be used by a client, or may issue such certificates. */
export function isForClients({ extensions: { usages } }: Certificate): boolean {
  return usages === null || usages.includes(CLIENT_AUTH) || usages.includes(ANY_USAGE);
}

/**
 * Returns why a chain leads to no authority, "" when it does. The search begins at the authorities: no
 * signature is checked but by a key that is trusted already, so a client cannot choose the keys that we
 * compute with, and a chain costs at most two wrong signatures, and a right one for each certificate.
 * @param chain the client's certificate first, others in any order
 */
export function pathProblem(chain: readonly Certificate[], settings: TrustSettings): string {
  const { authorities, now } = settings;
  const [leaf] = chain;
  if (!validAt(leaf, now)) return "it is not valid now";
  const candidates = new Set(relevant(chain));
  const issuers: Issuer[] = [];
  const wanted = new Set(Array.from(candidates, ({ issuer }) => issuer));
  for (const certificate of authorities) {
    if (wanted.has(certificate.subject) && mayIssue(certificate, now)) {
      issuers.push({ certificate, allowance: certificate.extensions.pathLength });
    }
  }
  let wrong = 0;
  const verified = new Map<Certificate, number>();
  // Grows while it is walked: each certificate that is verified may have issued others.
  for (const { certificate: issuer, allowance } of issuers) {
    for (const certificate of candidates) {
      if (!mayHaveIssued(issuer, certificate) || same(issuer, certificate)) continue;
      const below = allowanceOf(certificate, allowance);
      if (certificate !== leaf) {
        if (below < 0 || below <= (verified.get(certificate) ?? -1)) continue;
        if (!mayIssue(certificate, now)) continue;
      }
      if (!settings.verify(certificate, issuer)) {
        if (++wrong > MAX_WRONG_SIGNATURES) return "too many signatures are not its issuers'";
        continue;
      }
      if (isRevoked(certificate, issuer, settings, certificate === leaf)) continue;
      if (certificate === leaf) return "";
      verified.set(certificate, below);
      issuers.push({ certificate, allowance: below });
    }
  }
  return "no trusted authority signed it, or one between them is not valid";
}

interface Issuer {
  readonly certificate: Certificate;
  /** Intermediates that may still stand below it. */
  readonly allowance: number;
}

/** The client's certificate and those from which names lead to it. */
function relevant(chain: readonly Certificate[]): Certificate[] {
  const found = [chain[0]];
  const others = new Set(chain.slice(1, LIMIT.certificateChain));
  for (const below of found) {
    for (const certificate of others) {
      if (!mayHaveIssued(certificate, below)) continue;
      others.delete(certificate);
      found.push(certificate);
    }
  }
  return found;
}

/** Whether two are one certificate: an authority that the client sent along proves nothing about itself. */
function same(one: Certificate, other: Certificate): boolean {
  return one === other || Buffer.compare(one.raw, other.raw) === 0;
}

/** Whether names and key identifiers allow that one issued the other. */
function mayHaveIssued(issuer: Certificate, certificate: Certificate): boolean {
  const { subjectKey } = issuer.extensions;
  const { issuerKey } = certificate.extensions;
  return issuer.subject === certificate.issuer &&
    (subjectKey === "" || issuerKey === "" || subjectKey === issuerKey);
}

/** How many intermediates may stand below a certificate; negative when it may not stand there itself. */
function allowanceOf({ subject, issuer, extensions }: Certificate, above: number): number {
  // One that an authority issued to itself, for a new key, does not count (RFC 5280 section 4.2.1.9).
  return Math.min(subject === issuer ? above : above - 1, extensions.pathLength);
}

function mayIssue(certificate: Certificate, now: number): boolean {
  const { isAuthority, signsCertificates, constrainsNames, unknownCritical } =
    certificate.extensions;
  // A restriction that is not understood here must not be overlooked.
  return isAuthority && signsCertificates && !constrainsNames && unknownCritical === "" &&
    validAt(certificate, now) && isForClients(certificate);
}

/** Whether a certificate was taken back by its issuer, or may have been. */
function isRevoked(
  certificate: Certificate,
  issuer: Certificate,
  { revocations, now }: TrustSettings,
  isLeaf: boolean,
): boolean {
  const own = revocations.filter((list) => list.isOf(issuer));
  // Lists are of clients' certificates; authorities in between seldom have any.
  if (own.length === 0) return revocations.length > 0 && isLeaf;
  return own.some((list) => list.nextUpdate < now || list.has(certificate));
}
