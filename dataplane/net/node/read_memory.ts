import { Buffer } from "node:buffer";
import net, { type Socket } from "node:net";

/** Bytes that one read takes at most; what the runtime reads into memory of its own, too. */
const SIZE = 64 * 1024;
/** Reads up to this size are handed out as views that were made before. */
const KNOWN = 2 * 1024;
/** A socket whose reads are larger gets memory of its own: what passes through would be copied otherwise. */
const LARGE = 16 * 1024;
/** Smaller reads come to the shared memory again. */
const SMALL = 4 * 1024;

/** The runtime calls it on the socket with the bytes read; `readView` has them. Returns true to go on. */
export type OnRead = (this: Socket, length: number) => boolean;

interface Handle {
  useUserBuffer(memory: Uint8Array): void;
}

/** The fields in which the runtime's sockets keep their `onread` option. */
interface Fields {
  readonly buffer: symbol;
  readonly callback: symbol;
}

type Reading = Socket & { readonly _handle: Handle | null } & Record<symbol, unknown>;

const memory = Buffer.allocUnsafeSlow(SIZE);
const views: Buffer[] = [];
/** What tells a handle to use memory of its own again. */
const NOTHING = new Uint8Array(0);

/** The option exists for sockets that one opens; accepted ones are told in the same fields. */
const fields = ((): Fields | null => {
  const onread = { buffer: memory, callback: () => true };
  const socket = new net.Socket({ onread } as net.SocketConstructorOpts);
  const symbols = Object.getOwnPropertySymbols(socket);
  const named = (name: string) => symbols.find(({ description }) => description === name);
  const [buffer, callback] = [named("kBuffer"), named("kBufferCb")];
  return buffer === undefined || callback === undefined ? null : { buffer, callback };
})();

/**
 * Lets a socket read into memory that all sockets of this thread share (node's `onread`): nothing is
 * allocated for a read, which is a twentieth of a request's cost. Large reads go on coming as "data"
 * events, each in memory of its own, since what only passes through need not be copied then.
 */
export function shareMemory(socket: Socket, onRead: OnRead): void {
  const reading = socket as Reading;
  if (fields === null || typeof reading._handle?.useUserBuffer !== "function") return;
  reading[fields.callback] = onRead;
  take(reading);
}

/** What was read into the shared memory, valid until the next read. */
export function readView(socket: Socket, length: number): Buffer {
  if (length > LARGE) release(socket as Reading);
  if (length > KNOWN) return memory.subarray(0, length);
  return views[length] ??= memory.subarray(0, length);
}

/** A read came as a "data" event: small ones may share memory again. */
export function readAlone(socket: Socket, length: number): void {
  const reading = socket as Reading;
  // Bytes that still wait in the socket come first: a read into shared memory would overtake them.
  if (length >= SMALL || socket.readableLength > 0 || fields === null) return;
  if (reading[fields.callback] !== undefined) take(reading);
}

/** Bytes that stay: those of a read in shared memory are copied. */
export function lasting(bytes: Uint8Array): Uint8Array {
  return bytes.buffer === memory.buffer ? Buffer.from(bytes) : bytes;
}

function take(reading: Reading): void {
  reading[fields!.buffer] = memory;
  reading._handle?.useUserBuffer(memory);
}

function release(reading: Reading): void {
  reading[fields!.buffer] = null;
  reading._handle?.useUserBuffer(NOTHING);
}
