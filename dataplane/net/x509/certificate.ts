import { LIMIT } from "../../config/defaults.ts";
import { type AlternativeName, readAlternativeNames } from "./alternative_names.ts";
import {
  children,
  contentOf,
  contextTag,
  type DerElement,
  DerError,
  encodingOf,
  expectElement,
  hex,
  readObjectId,
  readTime,
  TAG,
} from "./der.ts";
import { type DistinguishedName, readDistinguishedName } from "./distinguished_name.ts";

/**
 * A certificate (RFC 5280 section 4.1), read from its own bytes: names keep the types they have there,
 * which the printed forms of libraries lose.
 */
export interface Certificate {
  readonly raw: Uint8Array;
  /** 1 to 3. */
  readonly version: number;
  /** Serial number, content bytes in hexadecimal. */
  readonly serial: string;
  /** Issuer and subject as encoded, in hexadecimal: equal names are equal texts. */
  readonly issuer: string;
  readonly subject: string;
  readonly subjectName: DistinguishedName;
  /** First and last moment of validity, in milliseconds since 1970. */
  readonly notBefore: number;
  readonly notAfter: number;
  /** SubjectPublicKeyInfo, DER. */
  readonly publicKey: Uint8Array;
  /** What is signed, the algorithm's object identifier in hexadecimal, and the signature. */
  readonly signed: Uint8Array;
  readonly algorithm: string;
  readonly signature: Uint8Array;
  readonly extensions: Extensions;
}

/** What the extensions of a certificate say. */
export interface Extensions {
  /** Whether basicConstraints name an authority. */
  isAuthority: boolean;
  /** Intermediates that may stand below it, Infinity without a limit. */
  pathLength: number;
  /** Whether keyUsage, where there is one, allows signing certificates. */
  signsCertificates: boolean;
  /** Object identifiers of extendedKeyUsage in hexadecimal; null without that extension. */
  usages: readonly string[] | null;
  alternativeNames: readonly AlternativeName[];
  /** Key identifiers in hexadecimal, "" where there is none. */
  subjectKey: string;
  issuerKey: string;
  /** Whether names of certificates below it are constrained. */
  constrainsNames: boolean;
  /** Object identifier of a critical extension that is not understood, "" for none. */
  unknownCritical: string;
}

const ID = {
  subjectKey: "551d0e",
  keyUsage: "551d0f",
  alternativeNames: "551d11",
  basicConstraints: "551d13",
  nameConstraints: "551d1e",
  issuerKey: "551d23",
  usages: "551d25",
} as const;
/**
 * Extensions that change nothing of what is decided here although they may be critical: revocation
 * points, policies and their mappings and constraints, which nothing requires a policy of.
 */
const NEUTRAL: ReadonlySet<string> = new Set([
  "551d12",
  "551d1f",
  "551d20",
  "551d21",
  "551d24",
  "551d36",
]);

/** Bit of keyUsage that allows signing certificates (keyCertSign, bit 5). */
const CERTIFICATE_SIGNING = 0x04;
/** Most extensions of one certificate. */
const MAX_EXTENSIONS = 64;

/** Reads a certificate. Linear in its size. @throws {DerError} when it is malformed */
export function readCertificate(der: Uint8Array): Certificate {
  if (der.length > LIMIT.certificateChainBytes) throw new DerError("certificate too long");
  const outer = expectElement(der, TAG.sequence, 0, der.length);
  if (outer.end !== der.length) throw new DerError("bytes behind the certificate");
  const [tbs, algorithm, signature, ...more] = children(der, outer);
  if (
    tbs?.tag !== TAG.sequence || algorithm?.tag !== TAG.sequence ||
    signature?.tag !== TAG.bitString || more.length > 0
  ) throw new DerError("not a certificate");
  const fields = children(der, tbs);
  const version = fields[0]?.tag === contextTag(0, true) ? readVersion(der, fields.shift()!) : 1;
  const [serial, ownAlgorithm, issuer, validity, subject, publicKey, ...optional] = fields;
  if (
    serial?.tag !== TAG.integer || ownAlgorithm?.tag !== TAG.sequence ||
    issuer?.tag !== TAG.sequence || validity?.tag !== TAG.sequence ||
    subject?.tag !== TAG.sequence || publicKey?.tag !== TAG.sequence
  ) throw new DerError("not a certificate");
  const algorithmBytes = hex(encodingOf(der, algorithm));
  if (hex(encodingOf(der, ownAlgorithm)) !== algorithmBytes) {
    throw new DerError("two algorithms of one signature");
  }
  const [notBefore, notAfter] = children(der, validity);
  if (notBefore === undefined || notAfter === undefined) throw new DerError("no validity");
  // A signature of whole bytes: no bit of the last one is left over.
  if (der[signature.start] !== 0) throw new DerError("a signature of odd bits");
  return {
    raw: der,
    version,
    serial: hex(contentOf(der, serial)),
    issuer: hex(encodingOf(der, issuer)),
    subject: hex(encodingOf(der, subject)),
    subjectName: readDistinguishedName(der, subject),
    notBefore: readTime(der, notBefore),
    notAfter: readTime(der, notAfter),
    publicKey: encodingOf(der, publicKey),
    signed: encodingOf(der, tbs),
    algorithm: readObjectId(
      der,
      expectElement(der, TAG.objectId, algorithm.start, algorithm.end),
    ),
    signature: der.subarray(signature.start + 1, signature.end),
    extensions: readExtensions(der, optional, version),
  };
}

/** Whether a certificate is valid at a moment, in milliseconds since 1970. */
export function validAt({ notBefore, notAfter }: Certificate, now: number): boolean {
  return notBefore <= now && now <= notAfter;
}

function readVersion(der: Uint8Array, wrapper: DerElement): number {
  const number = expectElement(der, TAG.integer, wrapper.start, wrapper.end);
  const version = der[number.start] + 1;
  if (number.end - number.start !== 1 || number.end !== wrapper.end || version < 2 || version > 3) {
    throw new DerError("unknown version");
  }
  return version;
}

function readExtensions(
  der: Uint8Array,
  optional: readonly DerElement[],
  version: number,
): Extensions {
  const found: Extensions = {
    isAuthority: false,
    pathLength: Infinity,
    signsCertificates: true,
    usages: null,
    alternativeNames: [],
    subjectKey: "",
    issuerKey: "",
    constrainsNames: false,
    unknownCritical: "",
  };
  const wrapper = optional.find(({ tag }) => tag === contextTag(3, true));
  if (wrapper === undefined) return found;
  if (version !== 3) throw new DerError("extensions need version 3");
  const list = children(der, expectElement(der, TAG.sequence, wrapper.start, wrapper.end));
  if (list.length > MAX_EXTENSIONS) throw new DerError("too many extensions");
  const seen = new Set<string>();
  for (const extension of list) {
    const parts = children(der, extension);
    const value = parts.at(-1);
    if (parts[0]?.tag !== TAG.objectId || value?.tag !== TAG.octetString || parts.length > 3) {
      throw new DerError("malformed extension");
    }
    const id = readObjectId(der, parts[0]);
    // Two that contradict each other would be read differently elsewhere (RFC 5280 section 4.2).
    if (seen.has(id)) throw new DerError("an extension twice");
    seen.add(id);
    const critical = parts.length === 3 && der[parts[1].start] !== 0;
    if (!readExtension(der, id, value, found) && critical && !NEUTRAL.has(id)) {
      found.unknownCritical = id;
    }
  }
  return found;
}

/** Notes what an extension says; false for one that is not understood. */
function readExtension(
  der: Uint8Array,
  id: string,
  { start, end }: DerElement,
  found: Extensions,
): boolean {
  const sequence = () => expectElement(der, TAG.sequence, start, end);
  switch (id) {
    case ID.basicConstraints:
      for (const element of children(der, sequence())) {
        if (element.tag === TAG.boolean) found.isAuthority = der[element.start] !== 0;
        else if (element.tag === TAG.integer) found.pathLength = smallNumber(der, element);
      }
      return true;
    case ID.keyUsage: {
      const bits = expectElement(der, TAG.bitString, start, end);
      found.signsCertificates = (der[bits.start + 1] & CERTIFICATE_SIGNING) !== 0 &&
        bits.end > bits.start + 1;
      return true;
    }
    case ID.usages:
      found.usages = children(der, sequence()).map((usage) => readObjectId(der, usage));
      return true;
    case ID.alternativeNames:
      found.alternativeNames = readAlternativeNames(der, sequence());
      return true;
    case ID.subjectKey:
      found.subjectKey = hex(contentOf(der, expectElement(der, TAG.octetString, start, end)));
      return true;
    case ID.issuerKey: {
      const key = children(der, sequence()).find(({ tag }) => tag === contextTag(0, false));
      found.issuerKey = key === undefined ? "" : hex(contentOf(der, key));
      return true;
    }
    case ID.nameConstraints:
      return found.constrainsNames = true;
    default:
      return false;
  }
}

/** A number that fits into a byte; larger path lengths allow more than is ever looked at. */
function smallNumber(der: Uint8Array, { start, end }: DerElement): number {
  if (start === end || (der[start] & 0x80) !== 0) throw new DerError("negative path length");
  return end - start === 1 ? der[start] : Infinity;
}
