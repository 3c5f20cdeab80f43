/** The little of DER (X.690) that checking a certificate needs beyond what node:crypto tells. */

/** One element: its tag and the bounds of its content. */
export interface DerElement {
  readonly tag: number;
  readonly start: number;
  readonly end: number;
}

const SEQUENCE = 0x30;
/** Version of a certificate: absent in version 1. */
const EXPLICIT_0 = 0xa0;
const EXPLICIT_3 = 0xa3;
const BOOLEAN = 0x01;

/** Reads the element at `at`; null when it does not fit into [at, end). */
export function derElement(bytes: Uint8Array, at: number, end: number): DerElement | null {
  if (at + 2 > end) return null;
  const tag = bytes[at];
  let length = bytes[at + 1];
  let start = at + 2;
  if (length >= 0x80) {
    const count = length & 0x7f;
    if (count === 0 || count > 4 || start + count > end) return null;
    length = 0;
    for (let i = 0; i < count; i++) length = length * 256 + bytes[start++];
  }
  return start + length > end ? null : { tag, start, end: start + length };
}

/** Elements within [start, end). */
export function* derElements(bytes: Uint8Array, start: number, end: number): Generator<DerElement> {
  for (let at = start; at < end;) {
    const element = derElement(bytes, at, end);
    if (element === null) return;
    yield element;
    at = element.end;
  }
}

/** An extension of a certificate (RFC 5280 section 4.1). */
export interface CertificateExtension {
  /** Object identifier, content bytes in hexadecimal. */
  readonly id: string;
  readonly critical: boolean;
  /** Content of the value. */
  readonly value: Uint8Array;
}

/** The version (1 to 3) of a certificate and its extensions; null when it is malformed. */
export function certificateParts(
  der: Uint8Array,
): { version: number; extensions: CertificateExtension[] } | null {
  const outer = derElement(der, 0, der.length);
  if (outer === null || outer.tag !== SEQUENCE) return null;
  const tbs = derElement(der, outer.start, outer.end);
  if (tbs === null || tbs.tag !== SEQUENCE) return null;
  let version = 1;
  const extensions: CertificateExtension[] = [];
  for (const element of derElements(der, tbs.start, tbs.end)) {
    if (element.tag === EXPLICIT_0) {
      const number = derElement(der, element.start, element.end);
      if (number === null) return null;
      version = der[number.end - 1] + 1;
    } else if (element.tag === EXPLICIT_3) {
      const list = derElement(der, element.start, element.end);
      if (list === null) return null;
      for (const extension of derElements(der, list.start, list.end)) {
        const parts = [...derElements(der, extension.start, extension.end)];
        const value = parts.at(-1);
        if (parts.length < 2 || value === undefined) return null;
        extensions.push({
          id: hex(der.subarray(parts[0].start, parts[0].end)),
          critical: parts[1].tag === BOOLEAN && der[parts[1].start] !== 0,
          value: der.subarray(value.start, value.end),
        });
      }
    }
  }
  return { version, extensions };
}

/** Bytes as hexadecimal digits. */
export function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
