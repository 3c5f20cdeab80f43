import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";

/** A certificate with what leads to its authority, and its key. */
export interface PemPair {
  /** Certificates, the one that the key belongs to first. */
  readonly certificates: readonly X509Certificate[];
  /** PEM of them in that order. */
  readonly certPem: string;
  readonly keyPem: string;
}

interface Block {
  readonly label: string;
  readonly text: string;
}

/** Certificates and keys that are looked at; chains have some 4. */
const MOST = 32;
const MARK = /-----(BEGIN|END) ([A-Z0-9 ]{1,40})-----/g;
const ENCRYPTED = /^Proc-Type: 4,ENCRYPTED/m;
const DER = 0x30;

/**
 * Reads a certificate and its key from the two values of a Secret, as people have them: in either value or both in one,
 * the chain in any order, with a byte order mark. Returns why they cannot be used otherwise; the text never contains
 * key material.
 */
export function readPemPair(certificate: Uint8Array, key: Uint8Array): PemPair | string {
  const inCertificate = blocksOf(certificate);
  const inKey = blocksOf(key);
  const of = (wanted: (block: Block) => boolean, ...places: Block[][]) =>
    places.map((blocks) => blocks.filter(wanted)).find((found) => found.length > 0) ?? [];
  const certificateBlocks = of(({ label }) => label === "CERTIFICATE", inCertificate, inKey);
  const keyBlocks = of(({ label }) => label.endsWith("PRIVATE KEY"), inKey, inCertificate);
  if (certificateBlocks.length === 0) return noCertificate(certificate, inCertificate);
  if (keyBlocks.length === 0) return noKey(key);
  if (Math.max(certificateBlocks.length, keyBlocks.length) > MOST) {
    return `more than ${MOST} certificates or keys`;
  }
  const certificates: X509Certificate[] = [];
  for (const [index, { text }] of certificateBlocks.entries()) {
    try {
      certificates.push(new X509Certificate(text));
    } catch {
      return `tls.crt is not a PEM certificate (certificate ${index + 1} of it cannot be read)`;
    }
  }
  const keys: [KeyObject, string][] = [];
  for (const { label, text } of keyBlocks) {
    if (label === "ENCRYPTED PRIVATE KEY" || ENCRYPTED.test(text)) {
      return "tls.key is encrypted; take its passphrase away, as with openssl pkey -in FILE";
    }
    try {
      keys.push([createPrivateKey(text), text]);
    } catch {
      return "tls.key is not a PEM private key";
    }
  }
  for (const [key, keyPem] of keys) {
    const leaf = certificates.find((candidate) => candidate.checkPrivateKey(key));
    if (leaf === undefined) continue;
    const ordered = inOrder(leaf, certificates);
    const certPem = ordered.map((one) => one.toString()).join("");
    return { certificates: ordered, certPem, keyPem: `${keyPem}\n` };
  }
  return "tls.key does not belong to tls.crt";
}

function blocksOf(bytes: Uint8Array): Block[] {
  // A byte order mark is no part of the text.
  const text = new TextDecoder("utf-8", { ignoreBOM: false }).decode(bytes);
  const blocks: Block[] = [];
  let start = -1;
  let begun = "";
  // One pass: a search from each beginning for its end would take quadratic time.
  for (const { 0: mark, 1: kind, 2: label, index } of text.matchAll(MARK)) {
    if (kind === "BEGIN") {
      start = index;
      begun = label;
    } else if (start >= 0 && label === begun) {
      blocks.push({ label, text: text.slice(start, index + mark.length) });
      start = -1;
    }
  }
  return blocks;
}

/** The certificate that is served, then those that lead to its authority, then the rest. */
function inOrder(leaf: X509Certificate, all: readonly X509Certificate[]): X509Certificate[] {
  const ordered = [leaf];
  const left = all.filter((one) => one !== leaf && one.fingerprint256 !== leaf.fingerprint256);
  for (let last: X509Certificate | undefined = leaf; last !== undefined;) {
    const { issuer }: X509Certificate = last;
    const next = left.findIndex(({ subject }) => subject === issuer);
    last = next < 0 ? undefined : left.splice(next, 1)[0];
    if (last !== undefined) ordered.push(last);
  }
  return [...ordered, ...left];
}

function noCertificate(bytes: Uint8Array, blocks: readonly Block[]): string {
  const [other] = blocks;
  if (other?.label.endsWith("CERTIFICATE REQUEST")) {
    return "tls.crt is a certificate request; give the certificate that the authority made of it";
  }
  if (other?.label.endsWith("PRIVATE KEY")) return "tls.crt is a private key, and no certificate";
  return bytes[0] === DER
    ? "tls.crt is not a PEM certificate but binary; convert it, as with openssl x509 -inform der"
    : "tls.crt is not a PEM certificate";
}

function noKey(bytes: Uint8Array): string {
  return bytes[0] === DER
    ? "tls.key is not a PEM private key but binary; convert it, as with openssl pkey -inform der"
    : "tls.key is not a PEM private key";
}
