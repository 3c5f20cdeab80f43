import type { Socket } from "node:net";

/** Called on the socket when a write failed for the first time. */
type OnWriteFailure = (this: Socket, error: Error) => void;

interface Watched extends Socket {
  [FAILED]: OnWriteFailure | null;
  [DESTROY]: Socket["destroy"];
  readonly _readableState: { errored: Error | null };
}

const FAILED = Symbol("failed");
const DESTROY = Symbol("destroy");

function destroy(this: Watched, error?: Error): Socket {
  const onFailure = this[FAILED];
  const { syscall } = (error ?? {}) as { syscall?: string };
  if (onFailure === null || syscall !== "write") return this[DESTROY](error);
  this[FAILED] = null;
  // With an error the stream would not begin to read again after a pause.
  this._readableState.errored = null;
  onFailure.call(this, error!);
  return this;
}

/**
 * Keeps a socket readable when a write fails: the runtime would destroy it, and with it what the kernel has received.
 * The socket has to be destroyed when its end has been read.
 */
export function readAfterWriteFailure(socket: Socket, onFailure: OnWriteFailure): void {
  const watched = socket as Watched;
  watched[FAILED] = onFailure;
  watched[DESTROY] = socket.destroy;
  socket.destroy = destroy as Socket["destroy"];
}
