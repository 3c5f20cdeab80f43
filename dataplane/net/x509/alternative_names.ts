import { isIP } from "node:net";
import { children, contentOf, contextTag, type DerElement, hex, latin1 } from "./der.ts";

/** A name of a certificate, with the type it was given (RFC 5280 section 4.2.1.6). */
export interface AlternativeName {
  readonly type: "dns" | "uri" | "email" | "ip" | "other";
  /** Text of the name; of an address its bytes in hexadecimal; "" for other types. */
  readonly value: string;
}

const TYPES: ReadonlyMap<number, AlternativeName["type"]> = new Map([
  [contextTag(1, false), "email"],
  [contextTag(2, false), "dns"],
  [contextTag(6, false), "uri"],
  [contextTag(7, false), "ip"],
]);

const OTHER: AlternativeName = { type: "other", value: "" };

/**
 * Reads a list of general names.
 * @param list the sequence
 * @throws {DerError}
 */
export function readAlternativeNames(bytes: Uint8Array, list: DerElement): AlternativeName[] {
  return children(bytes, list).map((element) => {
    const type = TYPES.get(element.tag);
    if (type === undefined) return OTHER;
    const content = contentOf(bytes, element);
    if (type === "ip") return { type, value: hex(content) };
    // Bytes outside printable ASCII are in no name that could be asked for, and a text with a NUL
    // or a line break reads differently in other programs.
    if (content.some((byte) => byte <= 0x20 || byte >= 0x7f)) return OTHER;
    return { type, value: latin1(content) };
  });
}

/**
 * Returns the name that a configured text stands for: an IP address, a URI (with a scheme), a mailbox
 * (with an @) or else a DNS name.
 */
export function requiredName(text: string): AlternativeName {
  if (isIP(text) !== 0) return { type: "ip", value: addressBytes(text) };
  if (/^[a-z][a-z0-9+.-]*:/i.test(text)) return { type: "uri", value: text };
  if (text.includes("@")) return { type: "email", value: text };
  return { type: "dns", value: text };
}

/**
 * Whether one of `required` is among the names of a certificate. Only names of one type are compared:
 * a URI that reads like a DNS name is none. DNS names and mailboxes match in any case, URIs exactly.
 */
export function hasRequiredName(
  required: readonly string[],
  names: readonly AlternativeName[],
): boolean {
  const known = new Set(names.map(comparable));
  return required.some((text) => known.has(comparable(requiredName(text))));
}

function comparable({ type, value }: AlternativeName): string {
  return type === "dns" || type === "email" ? `${type}:${value.toLowerCase()}` : `${type}:${value}`;
}

/**
 * Whether a certificate is for a server: a DNS name in it equals the name or covers its first label
 * with `*`, or an address in it is the address (RFC 9525 section 6.3). Subjects are not looked at.
 * @param name DNS name or IP address
 */
export function namesServer(name: string, names: readonly AlternativeName[]): boolean {
  if (isIP(name) !== 0) {
    const address = addressBytes(name);
    return names.some(({ type, value }) => type === "ip" && value === address);
  }
  const wanted = withoutDot(name.toLowerCase());
  const parent = wanted.slice(wanted.indexOf(".") + 1);
  return names.some(({ type, value }) => {
    if (type !== "dns") return false;
    const own = withoutDot(value.toLowerCase());
    if (own === wanted) return !own.startsWith("*");
    // A wildcard stands for exactly one whole label, and not for all of a top-level domain.
    return own.startsWith("*.") && own.slice(2) === parent && parent !== wanted &&
      parent.includes(".");
  });
}

function withoutDot(name: string): string {
  return name.endsWith(".") ? name.slice(0, -1) : name;
}

/** Bytes of an address, in hexadecimal. */
function addressBytes(address: string): string {
  if (isIP(address) === 4) {
    return hex(Uint8Array.from(address.split("."), Number));
  }
  // The URL parser gives the shortest form (RFC 5952), with an embedded IPv4 address in hexadecimal.
  const { hostname } = new URL(`http://[${address.split("%")[0]}]/`);
  const [head, tail] = hostname.slice(1, -1).split("::");
  const groups = (text: string | undefined) =>
    text === undefined || text === "" ? [] : text.split(":");
  const [before, after] = [groups(head), groups(tail)];
  const zeros = tail === undefined ? 0 : 8 - before.length - after.length;
  return [...before, ...Array<string>(zeros).fill("0"), ...after]
    .map((group) => group.padStart(4, "0")).join("");
}
