import { Buffer } from "node:buffer";
import { verify } from "node:crypto";
import type { Certificate } from "./certificate.ts";
import {
  children,
  contentOf,
  contextTag,
  type DerElement,
  DerError,
  encodingOf,
  expectElement,
  hex,
  isTime,
  readElement,
  readElements,
  readTime,
  TAG,
} from "./der.ts";
import { digestOf, publicKeyOf } from "./verify_signature.ts";

const PEM = /-----BEGIN X509 CRL-----([A-Za-z0-9+/=\s]+?)-----END X509 CRL-----/g;

/** Authorities of which is remembered whether they made a list. */
const REMEMBERED = 64;

/** A revocation list that cannot be used. */
export class RevocationError extends Error {
  readonly code = "REVOCATION";
}

/** The certificates that one authority has taken back (RFC 5280 section 5). */
export class RevocationList {
  readonly #signed: Uint8Array;
  readonly #signature: Uint8Array;
  readonly #digest: string | null;
  readonly #issuer: string;
  readonly #serials: ReadonlySet<string>;
  /** Answers of `isOf` by key: the signature of a long list must not be computed in every handshake. */
  readonly #makers = new Map<string, boolean>();
  /** End of its validity, in milliseconds since 1970; Infinity without one. */
  readonly nextUpdate: number;

  /** @throws {RevocationError} for what is none, or has a critical extension */
  constructor(der: Uint8Array) {
    try {
      const outer = expectElement(der, TAG.sequence, 0, der.length);
      const [list, algorithm, signature, ...more] = children(der, outer);
      if (list?.tag !== TAG.sequence || signature?.tag !== TAG.bitString || more.length > 0) {
        throw new DerError("not a list");
      }
      const id = expectElement(der, TAG.objectId, algorithm.start, algorithm.end);
      const digest = digestOf(hex(contentOf(der, id)));
      if (digest === undefined) {
        throw new RevocationError("a revocation list has a signature that is not understood");
      }
      this.#digest = digest;
      this.#signed = encodingOf(der, list);
      // The first byte says how many bits are left over: none.
      this.#signature = der.subarray(signature.start + 1, signature.end);
      const fields = children(der, list);
      if (fields[0]?.tag === TAG.integer) fields.shift();
      // The algorithm once more, the issuer, this update.
      const [, issuer, thisUpdate, ...rest] = fields;
      if (issuer === undefined || !isTime(thisUpdate)) throw new DerError("no update");
      this.#issuer = hex(encodingOf(der, issuer));
      this.nextUpdate = isTime(rest[0]) ? readTime(der, rest.shift()!) : Infinity;
      this.#serials = rest[0]?.tag === TAG.sequence ? serialsOf(der, rest.shift()!) : new Set();
      if (rest[0]?.tag === contextTag(0, true)) refuseCritical(der, rest[0]);
    } catch (error) {
      if (error instanceof RevocationError) throw error;
      throw new RevocationError("a revocation list cannot be read", { cause: error });
    }
  }

  /** Whether an authority made it. */
  isOf(authority: Certificate): boolean {
    if (authority.subject !== this.#issuer) return false;
    const key = hex(authority.publicKey);
    let made = this.#makers.get(key);
    if (made === undefined) {
      made = this.#verify(authority);
      if (this.#makers.size >= REMEMBERED) this.#makers.clear();
      this.#makers.set(key, made);
    }
    return made;
  }

  /** Whether a certificate of that authority is on it. */
  has({ serial }: Certificate): boolean {
    return this.#serials.has(plain(serial));
  }

  #verify(authority: Certificate): boolean {
    const key = publicKeyOf(authority);
    try {
      return key !== null && verify(this.#digest, this.#signed, key, this.#signature);
    } catch {
      return false; // A key of another kind.
    }
  }
}

/** Every list in a PEM text. @throws {RevocationError} when there is none, or one cannot be used */
export function revocationLists(pem: Uint8Array): RevocationList[] {
  const texts = [...Buffer.from(pem).toString("latin1").matchAll(PEM)];
  if (texts.length === 0) throw new RevocationError("there is no revocation list");
  return texts.map(([, text]) => new RevocationList(Buffer.from(text, "base64")));
}

function serialsOf(der: Uint8Array, { start, end }: DerElement): Set<string> {
  const serials = new Set<string>();
  for (const entry of readElements(der, start, end)) {
    const serial = expectElement(der, TAG.integer, entry.start, entry.end);
    serials.add(plain(hex(contentOf(der, serial))));
  }
  return serials;
}

function plain(serial: string): string {
  return serial.toLowerCase().replace(/^0+(?=.)/, "");
}

/** A list of a part of the certificates, or of changes only, must not be taken for all of them. */
function refuseCritical(der: Uint8Array, wrapper: DerElement): void {
  const list = readElement(der, wrapper.start, wrapper.end);
  for (const extension of readElements(der, list.start, list.end)) {
    const [, critical] = children(der, extension);
    if (critical?.tag === TAG.boolean && der[critical.start] !== 0) {
      throw new RevocationError(
        "a revocation list has a critical extension, which is not understood",
      );
    }
  }
}
