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
/** Writes up to this size are copied, so that their memory need not wait for them. */
export const COPIED = 16 * 1024;
/** Sockets that have a piece of memory of their own: the one that has read nothing for longest gives it up. */
const TRANSFERS = 64;
/** Pieces of memory that wait for the next transfer: writes of one turn of the thread end behind it. */
const SPARE = 64;

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

/** Memory of one transfer, and of another one when everything written from it has left. */
interface Piece {
  readonly memory: Buffer;
  /** Writes that have not ended. */
  holds: number;
  /** A socket reads into it. */
  owned: boolean;
  /** One of the writes failed: the runtime may still have it. */
  spoiled: boolean;
  /** Ends a write. */
  readonly written: (error?: Error | null) => void;
}

const memory = Buffer.allocUnsafeSlow(SIZE);
const views: Buffer[] = [];
const pieces = new WeakMap<ArrayBufferLike, Piece>();
const spare: Piece[] = [];
/** Sockets with a piece of their own; the one that read last comes last. */
const transfers = new Map<Reading, Piece>();

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
 * allocated for a read, which is a twentieth of a request's cost. A socket whose reads are large reads into a
 * piece of its own, since what only passes through need not be copied then. Pieces are used again: with memory
 * of the runtime's, each 30 MB that passed led to a collection of 60 ms.
 */
export function shareMemory(socket: Socket, onRead: OnRead): void {
  const reading = socket as Reading;
  if (fields === null || typeof reading._handle?.useUserBuffer !== "function") return;
  reading[fields.callback] = onRead;
  readInto(reading, memory);
}

/** What was read, valid until `readDone`. */
export function readView(socket: Socket, length: number): Buffer {
  const from = (socket as Reading)[fields!.buffer] as Buffer;
  if (from !== memory || length > KNOWN) return from.subarray(0, length);
  return views[length] ??= memory.subarray(0, length);
}

/** Says where the socket's next read goes, behind one of so many bytes. */
export function readDone(socket: Socket, length: number): void {
  const reading = socket as Reading;
  const piece = transfers.get(reading);
  if (piece === undefined) {
    if (length > LARGE && reading._handle !== null) own(reading);
    return;
  }
  if (length < SMALL) share(reading, piece);
  else if (piece.holds > 0) {
    disown(reading, piece);
    own(reading);
  } else {
    transfers.delete(reading);
    transfers.set(reading, piece);
  }
}

/** The socket reads no more. */
export function readEnded(socket: Socket): void {
  const piece = transfers.get(socket as Reading);
  if (piece !== undefined) disown(socket as Reading, piece);
}

/** Bytes that stay: those of shared memory are copied, and few of a piece. */
export function lasting(bytes: Uint8Array): Uint8Array {
  const { buffer } = bytes;
  if (buffer === memory.buffer) return Buffer.from(bytes);
  return bytes.length <= COPIED && pieceOf(bytes) !== undefined ? Buffer.from(bytes) : bytes;
}

/** To be called when what `lasting` returned was written: its memory is not read into before. */
export function held(bytes: Uint8Array): ((error?: Error | null) => void) | undefined {
  const piece = pieceOf(bytes);
  if (piece === undefined) return undefined;
  piece.holds++;
  return piece.written;
}

/** Lets the pieces go that no transfer has. */
export function dropSpareMemory(): void {
  spare.length = 0;
}

function pieceOf({ buffer }: Uint8Array): Piece | undefined {
  return buffer.byteLength === SIZE ? pieces.get(buffer) : undefined;
}

/** Gives a socket a piece of its own. */
function own(reading: Reading): void {
  if (transfers.size >= TRANSFERS) {
    const [[oldest, piece]] = transfers;
    share(oldest, piece);
  }
  const piece = spare.pop() ?? createPiece();
  piece.owned = true;
  transfers.set(reading, piece);
  readInto(reading, piece.memory);
}

/** Lets a socket read into the shared memory again; the runtime fills memory when it calls, not before. */
function share(reading: Reading, piece: Piece): void {
  readInto(reading, memory);
  disown(reading, piece);
}

function disown(reading: Reading, piece: Piece): void {
  transfers.delete(reading);
  piece.owned = false;
  keep(piece);
}

function createPiece(): Piece {
  const piece: Piece = {
    memory: Buffer.allocUnsafeSlow(SIZE),
    holds: 0,
    owned: false,
    spoiled: false,
    written: (error) => {
      piece.holds--;
      if (error) piece.spoiled = true;
      keep(piece);
    },
  };
  pieces.set(piece.memory.buffer, piece);
  return piece;
}

/** Keeps a piece that is free for another transfer. */
function keep(piece: Piece): void {
  const free = piece.holds === 0 && !piece.owned && !piece.spoiled;
  if (free && spare.length < SPARE) spare.push(piece);
}

function readInto(reading: Reading, into: Buffer): void {
  reading[fields!.buffer] = into;
  reading._handle?.useUserBuffer(into);
}
