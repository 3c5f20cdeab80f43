import {
  children,
  contentOf,
  type DerElement,
  DerError,
  hex,
  latin1,
  readObjectId,
  TAG,
} from "./der.ts";

/** One attribute of a distinguished name. */
export interface NameAttribute {
  /** Object identifier, content bytes in hexadecimal. */
  readonly id: string;
  readonly value: string;
}

/** Sets of attributes, the most significant first (RFC 5280 section 4.1.2.4). */
export type DistinguishedName = readonly (readonly NameAttribute[])[];

const COMMON_NAME = "550403";
/** Short names of attribute types (RFC 4514 section 3); others print as dotted numbers. */
const SHORT_NAMES: Readonly<Record<string, string>> = {
  [COMMON_NAME]: "CN",
  "550406": "C",
  "550407": "L",
  "550408": "ST",
  "55040a": "O",
  "55040b": "OU",
  "550409": "STREET",
  "550405": "serialNumber",
  "0992268993f22c640119": "DC",
  "0992268993f22c640101": "UID",
  "2a864886f70d010901": "emailAddress",
};

/** String types by their tags (X.680 section 41). */
const STRING = { utf8: 12, bmp: 30, universal: 28, latin1: 20 } as const;
const ASCII_STRINGS: ReadonlySet<number> = new Set([18, 19, 22, 26]);

const utf8 = new TextDecoder("utf-8", { fatal: true });
const utf16 = new TextDecoder("utf-16be", { fatal: true });

/** Most attributes of one name; real ones have some 10. */
const MAX_ATTRIBUTES = 64;

/** Reads the content of a Name. @throws {DerError} */
export function readDistinguishedName(bytes: Uint8Array, name: DerElement): DistinguishedName {
  let count = 0;
  return children(bytes, name).map((set) => {
    if (set.tag !== TAG.set) throw new DerError("a relative name is no set");
    return children(bytes, set).map((attribute) => {
      if (++count > MAX_ATTRIBUTES) throw new DerError("too many attributes of a name");
      const [id, value, ...rest] = children(bytes, attribute);
      if (id?.tag !== TAG.objectId || value === undefined || rest.length > 0) {
        throw new DerError("an attribute of a name is no pair");
      }
      return {
        id: readObjectId(bytes, id),
        value: readString(contentOf(bytes, value), value.tag),
      };
    });
  });
}

/** Returns the values of every common name, in their order. */
export function commonNamesOf(name: DistinguishedName): string[] {
  return name.flat().filter(({ id }) => id === COMMON_NAME).map(({ value }) => value);
}

/**
 * Prints a name as RFC 4514 orders it, the most specific part first. `escape` makes a value safe for
 * where the text will stand: separators of the form are never part of what it returns.
 */
export function printName(name: DistinguishedName, escape: (value: string) => string): string {
  return name.toReversed().map((set) =>
    set.map(({ id, value }) => `${SHORT_NAMES[id] ?? dotted(id)}=${escape(value)}`).join("+")
  ).join(",");
}

function readString(content: Uint8Array, tag: number): string {
  try {
    if (tag === STRING.utf8) return utf8.decode(content);
    if (tag === STRING.bmp) return utf16.decode(content);
    if (tag === STRING.universal) return universal(content);
  } catch (error) {
    throw new DerError("a text of a name has broken characters", { cause: error });
  }
  if (tag === STRING.latin1) return latin1(content);
  if (!ASCII_STRINGS.has(tag)) return `#${hex(content)}`;
  if (content.some((byte) => byte >= 0x80)) throw new DerError("a text of a name is not ASCII");
  return latin1(content);
}

/** UCS-4, four bytes a character. @throws {RangeError} for what is no code point */
function universal(content: Uint8Array): string {
  const view = new DataView(content.buffer, content.byteOffset, content.length);
  const points: string[] = [];
  for (let at = 0; at + 4 <= content.length; at += 4) {
    points.push(String.fromCodePoint(view.getUint32(at)));
  }
  if (content.length % 4 !== 0) throw new RangeError("not four bytes a character");
  return points.join("");
}

/** Dotted form of an object identifier (X.690 section 8.19). */
function dotted(id: string): string {
  const arcs: bigint[] = [];
  let arc = 0n;
  for (const byte of id.match(/../g) ?? []) {
    const value = parseInt(byte, 16);
    arc = arc * 128n + BigInt(value & 0x7f);
    if (value >= 0x80) continue;
    if (arcs.length === 0) {
      const first = arc < 80n ? arc / 40n : 2n;
      arcs.push(first, arc - first * 40n);
    } else arcs.push(arc);
    arc = 0n;
  }
  return arcs.join(".");
}
