import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";

/** The parts of the runtime's own handles that node:tls does not show. */
interface TcpHandle {
  readStart(): number;
  readStop(): number;
  onread: (...args: unknown[]) => unknown;
}
interface TlsHandle {
  readStart(): number;
  readStop(): number;
  readonly _nativeTcpHandle: TcpHandle;
  getPeerCertificateChain(): { readonly certificates: readonly Uint8Array[] } | null;
}
interface Inner {
  readonly _handle: TlsHandle;
  readonly _parent: Socket & { readonly _handle: TcpHandle };
  readonly _readableState: { readonly ended: boolean };
}

/** What `openTls` adds to a socket. */
export interface OpenTls {
  readonly raw: Socket;
  truncated(): boolean;
}

/**
 * Mends two things of the runtime's TLS sockets, once the handshake is complete. Pausing one leaves the
 * TCP socket below reading: memory would grow without bound, and the end could get lost. And a stream
 * that is cut looks like one that ended: the end of the TCP stream is noted together with whether the
 * TLS layer had seen the peer's close_notify by then.
 */
export function openTls(socket: TLSSocket): OpenTls {
  const inner = socket as unknown as Inner;
  const raw = inner._parent;
  passPauseDown(inner._handle);
  let clean: boolean | undefined;
  const tcp = raw._handle;
  const { onread } = tcp;
  // A handler set while reading is not looked at.
  tcp.readStop();
  tcp.onread = function (this: unknown, ...args: unknown[]): unknown {
    if (args[0] === null || args[0] === undefined) clean = inner._readableState.ended;
    return onread.apply(this, args);
  };
  tcp.readStart();
  return { raw, truncated: () => clean === false };
}

function passPauseDown(handle: TlsHandle): void {
  const tcp = handle._nativeTcpHandle;
  const start = handle.readStart.bind(handle);
  let stopped = false;
  handle.readStop = () => {
    if (!stopped) {
      stopped = true;
      tcp.readStop();
    }
    return 0;
  };
  handle.readStart = () => {
    const result = start();
    if (stopped) {
      stopped = false;
      tcp.readStart();
    }
    return result;
  };
}

/** Certificates that the peer presented, in DER, its own first. */
export function peerChain(socket: TLSSocket): readonly Uint8Array[] {
  const { _handle } = socket as unknown as Inner;
  return _handle.getPeerCertificateChain()?.certificates ?? [];
}
