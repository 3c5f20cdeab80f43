import { type FieldEntry, fieldEntry } from "./field_entry.ts";

/** Names with the values that have an index of their own (RFC 7541 appendix A), in order. */
const FIELDS: readonly (readonly [string, ...string[]])[] = [
  [":authority"],
  [":method", "GET", "POST"],
  [":path", "/", "/index.html"],
  [":scheme", "http", "https"],
  [":status", "200", "204", "206", "304", "400", "404", "500"],
  ["accept-charset"],
  ["accept-encoding", "gzip, deflate"],
  ["accept-language"],
  ["accept-ranges"],
  ["accept"],
  ["access-control-allow-origin"],
  ["age"],
  ["allow"],
  ["authorization"],
  ["cache-control"],
  ["content-disposition"],
  ["content-encoding"],
  ["content-language"],
  ["content-length"],
  ["content-location"],
  ["content-range"],
  ["content-type"],
  ["cookie"],
  ["date"],
  ["etag"],
  ["expect"],
  ["expires"],
  ["from"],
  ["host"],
  ["if-match"],
  ["if-modified-since"],
  ["if-none-match"],
  ["if-range"],
  ["if-unmodified-since"],
  ["last-modified"],
  ["link"],
  ["location"],
  ["max-forwards"],
  ["proxy-authenticate"],
  ["proxy-authorization"],
  ["range"],
  ["referer"],
  ["refresh"],
  ["retry-after"],
  ["server"],
  ["set-cookie"],
  ["strict-transport-security"],
  ["transfer-encoding"],
  ["user-agent"],
  ["vary"],
  ["via"],
  ["www-authenticate"],
];

/** The static table; index 0 is not used. */
export const STATIC_TABLE: readonly FieldEntry[] = [
  fieldEntry("unused", ""),
  ...FIELDS.flatMap(([name, ...values]) =>
    values.length === 0 ? [fieldEntry(name, "")] : values.map((value) => fieldEntry(name, value))
  ),
];

/** Entries of the static table; dynamic indices begin behind it. */
export const STATIC_COUNT = STATIC_TABLE.length - 1;
