import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";

/** Called by the runtime with what was read, undefined at the end. */
type OnRead = (bytes: unknown, count?: number) => unknown;

/** The parts of the runtime's own handles that node:tls does not show. */
interface TcpHandle {
  readStart(): number;
  readStop(): number;
  onread: OnRead;
  [MENDED]?: Mended;
}
interface TlsHandle {
  readStart(): number;
  readStop(): number;
  readonly _nativeTcpHandle: TcpHandle;
  [MENDED]?: Mended;
}
interface Inner {
  readonly _handle: TlsHandle;
  readonly _parent: Socket & { readonly _handle: TcpHandle };
  readonly _readableState: { readonly ended: boolean };
}

const MENDED = Symbol("mended");

/** What is remembered of one socket; the functions that replace the handles' own are shared by all. */
class Mended {
  stopped = false;
  /** Whether the peer had announced its end when the TCP stream ended; undefined before that. */
  clean: boolean | undefined;
  /** The TLS socket, null before the handshake is complete. */
  socket: Inner | null = null;
  tcp: TcpHandle | null = null;
  readStart: (() => number) | null = null;
  constructor(
    readonly raw: Socket,
    readonly onread: OnRead,
  ) {}
}

function readStop(this: TlsHandle): number {
  const mended = this[MENDED]!;
  if (!mended.stopped) {
    mended.stopped = true;
    mended.tcp!.readStop();
  }
  return 0;
}

function readStart(this: TlsHandle): number {
  const mended = this[MENDED]!;
  const result = mended.readStart!.call(this);
  if (mended.stopped) {
    mended.stopped = false;
    mended.tcp!.readStart();
  }
  return result;
}

function onread(this: TcpHandle, bytes: unknown, count?: number): unknown {
  const mended = this[MENDED]!;
  if (bytes === null || bytes === undefined) {
    if (mended.socket === null) {
      // Within the handshake the runtime would not notice before its timer does.
      mended.raw.destroy();
      return undefined;
    }
    mended.clean = mended.socket._readableState.ended;
  }
  return mended.onread.call(this, bytes, count);
}

/** What `openTls` adds to a socket. */
export interface OpenTls {
  readonly raw: Socket;
  /** Whether the bytes of the peer ended without the alert that says so (RFC 8446 section 6.1). */
  truncated(): boolean;
}

/** Watches a TCP socket that was handed to a TLS server: its end is the end of the handshake. */
export function watchHandshake(raw: Socket): void {
  const { _handle: tcp } = raw as Inner["_parent"];
  const mended = new Mended(raw, tcp.onread);
  // A handler set while reading is not looked at.
  tcp.readStop();
  tcp[MENDED] = mended;
  tcp.onread = onread;
  tcp.readStart();
}

/**
 * Mends two things of the runtime's TLS sockets, once the handshake is complete. Pausing one leaves the
 * TCP socket below reading: memory would grow without bound, and the end could get lost. And a stream
 * that is cut looks like one that ended: the end of the TCP stream is noted together with whether the
 * TLS layer had seen the peer's close_notify by then.
 */
export function openTls(socket: TLSSocket): OpenTls {
  const inner = socket as unknown as Inner;
  const { _handle: handle, _parent: raw } = inner;
  if (raw._handle[MENDED] === undefined) watchHandshake(raw);
  const mended = raw._handle[MENDED]!;
  mended.socket = inner;
  mended.tcp = handle._nativeTcpHandle;
  mended.readStart = handle.readStart;
  handle[MENDED] = mended;
  handle.readStop = readStop;
  handle.readStart = readStart;
  return { raw, truncated: () => mended.clean === false };
}

/** The TCP socket below. */
export function rawOf(socket: TLSSocket): Socket {
  return (socket as unknown as Inner)._parent;
}

/** Certificates that the peer presented, in DER, its own first. */
export function peerChain(socket: TLSSocket): readonly Uint8Array[] {
  const handle = (socket as unknown as {
    _handle: { getPeerCertificateChain(): { certificates: readonly Uint8Array[] } | null };
  })._handle;
  return handle.getPeerCertificateChain()?.certificates ?? [];
}
