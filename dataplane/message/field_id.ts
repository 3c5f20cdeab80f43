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
  ["x-forwarded-prefix", FieldId.ForwardedOther],
  ["x-forwarded-ssl", FieldId.ForwardedOther],
  ["x-forwarded-scheme", FieldId.ForwardedOther],
  ["x-forwarded-server", FieldId.ForwardedOther],
  ["proxy-authorization", FieldId.ProxyAuthorization],
  ["content-type", FieldId.ContentType],
  ["grpc-timeout", FieldId.GrpcTimeout],
  ["set-cookie", FieldId.SetCookie],
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
  if (length >= BY_LENGTH.length) return FieldId.Other;
  const candidates = BY_LENGTH[length];
  for (let i = 0; i < candidates.length; i++) {
    if (equalsIgnoreCase(buffer, start, end, candidates[i].name)) return candidates[i].id;
  }
  return FieldId.Other;
}

/** Whether a name with underscores stands for a protected field once a backend maps `_` to `-`. */
export function shadowsProtected(buffer: Uint8Array, start: number, end: number): boolean {
  const length = end - start;
  if (length >= BY_LENGTH.length) return false;
  for (const { name } of BY_LENGTH[length]) {
    let same = true;
    for (let i = 0; i < length && same; i++) {
      const byte = buffer[start + i] |
        (buffer[start + i] >= 65 && buffer[start + i] <= 90 ? 32 : 0);
      same = (byte === 95 ? 45 : byte) === name[i];
    }
    if (same) return true;
  }
  return false;
}

const bit = (id: FieldId) => 1 << id;

/** Fields that belong to one hop (RFC 9110 section 7.6.1) and those our framing replaces. */
export const HOP_BY_HOP = bit(FieldId.Connection) | bit(FieldId.TransferEncoding) |
  bit(FieldId.Upgrade) | bit(FieldId.KeepAlive) | bit(FieldId.ProxyConnection) | bit(FieldId.Te) |
  bit(FieldId.Http2Settings) | bit(FieldId.ProxyAuthorization) | bit(FieldId.Nominated);

/** Fields that we set: what an untrusted client sends under these names is dropped. */
export const SET_BY_US = bit(FieldId.ForwardedFor) | bit(FieldId.ForwardedProto) |
  bit(FieldId.ForwardedHost) | bit(FieldId.ForwardedPort) | bit(FieldId.Forwarded) |
  bit(FieldId.ForwardedOther) | bit(FieldId.RealIp) | bit(FieldId.ClientCert);

/** Fields that trailers must not carry: framing, routing, authentication (RFC 9110 section 6.5.1). */
export const NEVER_IN_TRAILERS = HOP_BY_HOP | SET_BY_US | bit(FieldId.Host) |
  bit(FieldId.ContentLength) | bit(FieldId.Trailer) | bit(FieldId.Expect) |
  bit(FieldId.RequestId) | bit(FieldId.Authorization) | bit(FieldId.Cookie) |
  bit(FieldId.SetCookie) | bit(FieldId.ContentType);

/** Fields that a Connection field must not name: dropping them would change who asks for what. */
export const NEVER_NOMINATED = bit(FieldId.Host) | bit(FieldId.ContentLength) |
  bit(FieldId.TransferEncoding) | bit(FieldId.Authorization) | bit(FieldId.Cookie) | SET_BY_US;
