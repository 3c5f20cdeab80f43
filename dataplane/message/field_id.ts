import { ascii, equalsIgnoreCase } from "./bytes.ts";

/** Fields that the engine itself reads or rewrites; everything else is OTHER and copied as it is. */
export const enum FieldId {
  Other = 0,
  Host = 1,
  Connection = 2,
  ContentLength = 3,
  TransferEncoding = 4,
  Te = 5,
  Trailer = 6,
  Upgrade = 7,
  KeepAlive = 8,
  ProxyConnection = 9,
  Expect = 10,
  ForwardedFor = 11,
  ForwardedProto = 12,
  ForwardedHost = 13,
  ForwardedPort = 14,
  Forwarded = 15,
  RealIp = 16,
  ClientCert = 17,
  RequestId = 18,
  Authorization = 19,
  Cookie = 20,
  Http2Settings = 21,
  Date = 22,
  /** X-Forwarded-* beyond those that we set. */
  ForwardedOther = 23,
  ProxyAuthorization = 24,
  ContentType = 25,
  GrpcTimeout = 26,
  SetCookie = 27,
  /** What proxies in front of a backend say of users and targets, and clients should not. */
  Identity = 28,
  UserAgent = 29,
  Referer = 30,
  /** Named by the Connection field: not forwarded. */
  Nominated = 31,
}

const NAMES: readonly [string, FieldId][] = [
  ["host", FieldId.Host],
  ["connection", FieldId.Connection],
  ["content-length", FieldId.ContentLength],
  ["transfer-encoding", FieldId.TransferEncoding],
  ["te", FieldId.Te],
  ["trailer", FieldId.Trailer],
  ["upgrade", FieldId.Upgrade],
  ["keep-alive", FieldId.KeepAlive],
  ["proxy-connection", FieldId.ProxyConnection],
  ["expect", FieldId.Expect],
  ["x-forwarded-for", FieldId.ForwardedFor],
  ["x-forwarded-proto", FieldId.ForwardedProto],
  ["x-forwarded-host", FieldId.ForwardedHost],
  ["x-forwarded-port", FieldId.ForwardedPort],
  ["forwarded", FieldId.Forwarded],
  ["x-real-ip", FieldId.RealIp],
  ["x-forwarded-client-cert", FieldId.ClientCert],
  ["x-request-id", FieldId.RequestId],
  ["authorization", FieldId.Authorization],
  ["cookie", FieldId.Cookie],
  ["http2-settings", FieldId.Http2Settings],
  ["date", FieldId.Date],
  ["proxy-authorization", FieldId.ProxyAuthorization],
  ["content-type", FieldId.ContentType],
  ["grpc-timeout", FieldId.GrpcTimeout],
  ["set-cookie", FieldId.SetCookie],
  ["user-agent", FieldId.UserAgent],
  ["referer", FieldId.Referer],
  ["remote-user", FieldId.Identity],
  ["remote-groups", FieldId.Identity],
  ["remote-name", FieldId.Identity],
  ["remote-email", FieldId.Identity],
  ["x-webauth-user", FieldId.Identity],
  // A CGI program reads it as HTTP_PROXY (CVE-2016-5385).
  ["proxy", FieldId.Identity],
  // Frameworks take the path from these instead of the request line.
  ["x-original-url", FieldId.Identity],
  ["x-rewrite-url", FieldId.Identity],
];

/** Beginnings of names whose every field is one of proxies'. */
const PREFIXES: readonly [string, FieldId][] = [
  ["x-forwarded-", FieldId.ForwardedOther],
  ["x-auth-request-", FieldId.Identity],
  ["x-remote-", FieldId.Identity],
];

/** Names and beginnings of request fields that an untrusted client cannot send, for documentation. */
export const REMOVED_FIELDS: readonly string[] = [
  ...NAMES.filter(([, id]) => id === FieldId.Identity).map(([name]) => name),
  ...PREFIXES.map(([prefix]) => `${prefix}*`),
];

interface Candidate {
  readonly name: Uint8Array;
  readonly id: FieldId;
}

/** Candidates by length of the name: at most a handful share one. */
const BY_LENGTH: Candidate[][] = Array.from({ length: 32 }, () => []);
for (const [name, id] of NAMES) BY_LENGTH[name.length].push({ name: ascii(name), id });

/** The id of the field name at [start, end). */
export function fieldId(buffer: Uint8Array, start: number, end: number): FieldId {
  const length = end - start;
  if (length < BY_LENGTH.length) {
    const candidates = BY_LENGTH[length];
    for (let i = 0; i < candidates.length; i++) {
      if (equalsIgnoreCase(buffer, start, end, candidates[i].name)) return candidates[i].id;
    }
  }
  return buffer[start + 1] === DASH ? prefixId(buffer, start, end) : FieldId.Other;
}

const DASH = 45;
const UNDERSCORE = 95;

/** The id of a name that begins with one of `PREFIXES`. */
function prefixId(buffer: Uint8Array, start: number, end: number): FieldId {
  for (const { name, id } of BEGINNINGS) {
    if (end - start <= name.length) continue;
    if (equalsIgnoreCase(buffer, start, start + name.length, name)) return id;
  }
  return FieldId.Other;
}

const BEGINNINGS: readonly Candidate[] = PREFIXES.map(([name, id]) => ({ name: ascii(name), id }));

/** Whether a name with underscores stands for a protected field once a backend maps `_` to `-`. */
export function shadowsProtected(buffer: Uint8Array, start: number, end: number): boolean {
  const length = end - start;
  for (const { name } of BY_LENGTH[length] ?? []) if (reads(buffer, start, name)) return true;
  return BEGINNINGS.some(({ name }) => length > name.length && reads(buffer, start, name));
}

/** Whether bytes equal a lower-case name once `_` is read as `-`. */
function reads(buffer: Uint8Array, start: number, name: Uint8Array): boolean {
  for (let i = 0; i < name.length; i++) {
    const byte = buffer[start + i];
    const lower = byte >= 65 && byte <= 90 ? byte | 32 : byte;
    if ((lower === UNDERSCORE ? DASH : lower) !== name[i]) return false;
  }
  return true;
}

const bit = (id: FieldId) => 1 << id;

/** Fields that belong to one hop (RFC 9110 section 7.6.1) and those our framing replaces. */
export const HOP_BY_HOP = bit(FieldId.Connection) | bit(FieldId.TransferEncoding) |
  bit(FieldId.Upgrade) | bit(FieldId.KeepAlive) | bit(FieldId.ProxyConnection) | bit(FieldId.Te) |
  bit(FieldId.Http2Settings) | bit(FieldId.ProxyAuthorization) | bit(FieldId.Nominated);

/** Fields that we set: what an untrusted client sends under these names is dropped. */
export const SET_BY_US = bit(FieldId.ForwardedFor) | bit(FieldId.ForwardedProto) |
  bit(FieldId.ForwardedHost) | bit(FieldId.ForwardedPort) | bit(FieldId.Forwarded) |
  bit(FieldId.ForwardedOther) | bit(FieldId.RealIp) | bit(FieldId.ClientCert) |
  bit(FieldId.Identity);

/** Fields that trailers must not carry: framing, routing, authentication (RFC 9110 section 6.5.1). */
export const NEVER_IN_TRAILERS = HOP_BY_HOP | SET_BY_US | bit(FieldId.Host) |
  bit(FieldId.ContentLength) | bit(FieldId.Trailer) | bit(FieldId.Expect) |
  bit(FieldId.RequestId) | bit(FieldId.Authorization) | bit(FieldId.Cookie) |
  bit(FieldId.SetCookie) | bit(FieldId.ContentType);

/** Fields that a Connection field must not name: dropping them would change who asks for what. */
export const NEVER_NOMINATED = bit(FieldId.Host) | bit(FieldId.ContentLength) |
  bit(FieldId.TransferEncoding) | bit(FieldId.Authorization) | bit(FieldId.Cookie) | SET_BY_US;
