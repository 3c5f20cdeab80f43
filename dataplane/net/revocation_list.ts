import { verify, type X509Certificate } from "node:crypto";
import { Buffer } from "node:buffer";
import { type DerElement, derElement, derElements, hex } from "./der.ts";

const SEQUENCE = 0x30;
const INTEGER = 0x02;
const BIT_STRING = 0x03;
const BOOLEAN = 0x01;
const EXPLICIT_0 = 0xa0;
/** Times: two digits of a year, or four (RFC 5280 section 4.1.2.5). */
const UTC_TIME = 0x17;
const GENERALIZED_TIME = 0x18;

const PEM = /-----BEGIN X509 CRL-----([A-Za-z0-9+/=\s]+?)-----END X509 CRL-----/g;

/** Digests of signature algorithms by object identifier; null where the algorithm has its own. */
const DIGESTS: Readonly<Record<string, string | null>> = {
  "2a864886f70d01010b": "sha256",
  "2a864886f70d01010c": "sha384",
  "2a864886f70d01010d": "sha512",
  "2a8648ce3d040302": "sha256",
  "2a8648ce3d040303": "sha384",
  "2a8648ce3d040304": "sha512",
  "2b6570": null,
};

/** A revocation list that cannot be used. */
export class RevocationError extends Error {
  readonly code = "REVOCATION";
}

/** The certificates that one authority has taken back (RFC 5280 section 5). */
export class RevocationList {
  readonly #signed: Uint8Array;
  readonly #signature: Uint8Array;
  readonly #digest: string | null;
  readonly #serials: ReadonlySet<string>;
  /** End of its validity, in milliseconds since 1970; Infinity without one. */
  readonly nextUpdate: number;

  /** @throws {RevocationError} for what is none, or has a critical extension */
  constructor(der: Uint8Array) {
    const outer = sequence(der, 0, der.length);
    const parts = [...derElements(der, outer.start, outer.end)];
    const [list, algorithm, signature] = parts;
    if (parts.length !== 3 || list.tag !== SEQUENCE || signature.tag !== BIT_STRING) throw broken();
    const id = derElement(der, algorithm.start, algorithm.end);
    const name = id === null ? "" : hex(der.subarray(id.start, id.end));
    if (!Object.hasOwn(DIGESTS, name)) {
      throw new RevocationError("a revocation list has a signature that is not understood");
    }
    this.#digest = DIGESTS[name];
    this.#signed = der.subarray(outer.start, list.end);
    // The first byte says how many bits are left over: none.
    this.#signature = der.subarray(signature.start + 1, signature.end);
    const fields = [...derElements(der, list.start, list.end)];
    if (fields[0]?.tag === INTEGER) fields.shift();
    // The algorithm once more, the issuer, this update.
    const [, , thisUpdate, ...rest] = fields;
    if (thisUpdate === undefined) throw broken();
    this.nextUpdate = isTime(rest[0]) ? timeIn(der, rest.shift()!) : Infinity;
    const serials = new Set<string>();
    if (rest[0]?.tag === SEQUENCE) {
      const revoked = rest.shift()!;
      for (const entry of derElements(der, revoked.start, revoked.end)) {
        const serial = derElement(der, entry.start, entry.end);
        if (serial === null || serial.tag !== INTEGER) throw broken();
        serials.add(plain(hex(der.subarray(serial.start, serial.end))));
      }
    }
    this.#serials = serials;
    if (rest[0]?.tag === EXPLICIT_0) refuseCritical(der, rest[0]);
  }

  /** Whether an authority made it. */
  isOf(authority: X509Certificate): boolean {
    try {
      return verify(this.#digest, this.#signed, authority.publicKey, this.#signature);
    } catch {
      return false; // A key of another kind.
    }
  }

  /** Whether a certificate of that authority is on it. */
  has({ serialNumber }: X509Certificate): boolean {
    return this.#serials.has(plain(serialNumber));
  }
}

/** Every list in a PEM text. @throws {RevocationError} when there is none, or one cannot be used */
export function revocationLists(pem: Uint8Array): RevocationList[] {
  const texts = [...Buffer.from(pem).toString("latin1").matchAll(PEM)];
  if (texts.length === 0) throw new RevocationError("there is no revocation list");
  return texts.map(([, text]) => new RevocationList(Buffer.from(text, "base64")));
}

function broken(): RevocationError {
  return new RevocationError("a revocation list cannot be read");
}

function sequence(der: Uint8Array, at: number, end: number): DerElement {
  const element = derElement(der, at, end);
  if (element === null || element.tag !== SEQUENCE) throw broken();
  return element;
}

function plain(serial: string): string {
  return serial.toLowerCase().replace(/^0+(?=.)/, "");
}

function isTime(element: DerElement | undefined): boolean {
  return element?.tag === UTC_TIME || element?.tag === GENERALIZED_TIME;
}

function timeIn(der: Uint8Array, { tag, start, end }: DerElement): number {
  const text = Buffer.from(der.subarray(start, end)).toString("latin1");
  const years = tag === UTC_TIME ? `${Number(text.slice(0, 2)) < 50 ? 20 : 19}${text}` : text;
  const [, ...digits] = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/.exec(years) ?? [];
  if (digits.length === 0) throw broken();
  const [year, month, day, hour, minute, second] = digits.map(Number);
  return Date.UTC(year, month - 1, day, hour, minute, second);
}

/** A list of a part of the certificates, or of changes only, must not be taken for all of them. */
function refuseCritical(der: Uint8Array, wrapper: DerElement): void {
  const list = sequence(der, wrapper.start, wrapper.end);
  for (const extension of derElements(der, list.start, list.end)) {
    const [, critical] = [...derElements(der, extension.start, extension.end)];
    if (critical?.tag === BOOLEAN && der[critical.start] !== 0) {
      throw new RevocationError(
        "a revocation list has a critical extension, which is not understood",
      );
    }
  }
}
