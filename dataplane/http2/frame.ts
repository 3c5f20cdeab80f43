/** Names and numbers of HTTP/2 frames (RFC 9113 sections 4, 6, 7 and 11). */

export const FRAME_HEADER = 9;

export const enum FrameType {
  Data = 0,
  Headers = 1,
  Priority = 2,
  RstStream = 3,
  Settings = 4,
  PushPromise = 5,
  Ping = 6,
  GoAway = 7,
  WindowUpdate = 8,
  Continuation = 9,
}

export const enum Flag {
  EndStream = 0x1,
  Ack = 0x1,
  EndHeaders = 0x4,
  Padded = 0x8,
  Priority = 0x20,
}

export const enum ErrorCode {
  NoError = 0,
  ProtocolError = 1,
  InternalError = 2,
  FlowControlError = 3,
  SettingsTimeout = 4,
  StreamClosed = 5,
  FrameSizeError = 6,
  RefusedStream = 7,
  Cancel = 8,
  CompressionError = 9,
  ConnectError = 10,
  EnhanceYourCalm = 11,
  InadequateSecurity = 12,
  Http11Required = 13,
}

export const enum Setting {
  HeaderTableSize = 1,
  EnablePush = 2,
  MaxConcurrentStreams = 3,
  InitialWindowSize = 4,
  MaxFrameSize = 5,
  MaxHeaderListSize = 6,
  EnableConnectProtocol = 8,
}

/** Window of a connection and of each stream before any change (section 6.9.2). */
export const DEFAULT_WINDOW = 65_535;
/** Largest window (section 6.9.1). */
export const MAX_WINDOW = 0x7fffffff;
/** Smallest and default limit of a frame's payload (section 4.2). */
export const DEFAULT_FRAME_SIZE = 16_384;
export const MAX_FRAME_SIZE = 0xffffff;

/** What ends a whole connection; the peer is told by GOAWAY. */
export class ConnectionError extends Error {
  constructor(readonly code: ErrorCode, message: string) {
    super(message);
  }
}

/** The peer broke the protocol. */
export function protocolError(message: string): ConnectionError {
  return new ConnectionError(ErrorCode.ProtocolError, message);
}

/** Reads 31 bits, as stream ids and window increments have. */
export function read31(view: Uint8Array, at: number): number {
  return ((view[at] & 0x7f) << 24) | (view[at + 1] << 16) | (view[at + 2] << 8) | view[at + 3];
}

export function read32(view: Uint8Array, at: number): number {
  return ((view[at] << 24) | (view[at + 1] << 16) | (view[at + 2] << 8) | view[at + 3]) >>> 0;
}

export function put32(value: number, out: Uint8Array, at: number): number {
  out[at] = value >>> 24;
  out[at + 1] = (value >>> 16) & 255;
  out[at + 2] = (value >>> 8) & 255;
  out[at + 3] = value & 255;
  return at + 4;
}

/** Writes a frame header; returns the position after it. */
export function putFrameHeader(
  out: Uint8Array,
  at: number,
  length: number,
  type: FrameType,
  flags: number,
  stream: number,
): number {
  out[at] = length >>> 16;
  out[at + 1] = (length >>> 8) & 255;
  out[at + 2] = length & 255;
  out[at + 3] = type;
  out[at + 4] = flags;
  return put32(stream, out, at + 5);
}
