/** A message of descriptors over a unix socket (SCM_RIGHTS, unix(7)), as `sendmsg` and `recvmsg` want it. */
import { pinned } from "./openssl.ts";

/** Descriptors that one message carries at most (SCM_MAX_FD). */
export const MOST_DESCRIPTORS = 253;

const HEADER = 16;
const SOL_SOCKET = 1;
const SCM_RIGHTS = 1;
/** `msghdr` and `iovec` where pointers have eight bytes. */
const MESSAGE_SIZE = 56;
const VECTOR_SIZE = 16;
const INT = 4;

/** Memory of a message; the parts point at each other, so it is used as a whole. */
export class DescriptorMessage {
  readonly bytes = pinned(new Uint8Array(MESSAGE_SIZE));
  /** A message without a byte of data is none. */
  readonly #data = pinned(new Uint8Array(1));
  readonly #vector = pinned(new Uint8Array(VECTOR_SIZE));
  readonly #control: Uint8Array<ArrayBuffer>;

  /** @param room descriptors that it has room for. @throws {RangeError} for more than a message carries */
  constructor(room: number) {
    if (room < 1 || room > MOST_DESCRIPTORS) {
      throw new RangeError(`a message carries 1 to ${MOST_DESCRIPTORS} descriptors`);
    }
    this.#control = pinned(new Uint8Array(HEADER + Math.ceil(room * INT / 8) * 8));
    const address = (bytes: Uint8Array<ArrayBuffer>) =>
      Deno.UnsafePointer.value(Deno.UnsafePointer.of(bytes));
    const vector = new DataView(this.#vector.buffer);
    vector.setBigUint64(0, address(this.#data), true);
    vector.setBigUint64(8, 1n, true);
    const message = new DataView(this.bytes.buffer);
    message.setBigUint64(16, address(this.#vector), true);
    message.setBigUint64(24, 1n, true);
    message.setBigUint64(32, address(this.#control), true);
    message.setBigUint64(40, BigInt(this.#control.length), true);
  }

  /** A message with these descriptors. */
  static of(descriptors: readonly number[]): DescriptorMessage {
    const message = new DescriptorMessage(descriptors.length);
    const control = new DataView(message.#control.buffer);
    control.setBigUint64(0, BigInt(HEADER + descriptors.length * INT), true);
    control.setInt32(8, SOL_SOCKET, true);
    control.setInt32(12, SCM_RIGHTS, true);
    descriptors.forEach((descriptor, i) => control.setInt32(HEADER + i * INT, descriptor, true));
    return message;
  }

  /** The descriptors that came with it; they belong to whoever reads them. */
  descriptors(): number[] {
    const message = new DataView(this.bytes.buffer);
    const control = new DataView(this.#control.buffer);
    if (message.getBigUint64(40, true) < BigInt(HEADER)) return [];
    if (control.getInt32(8, true) !== SOL_SOCKET || control.getInt32(12, true) !== SCM_RIGHTS) {
      return [];
    }
    const length = Number(control.getBigUint64(0, true));
    const count = Math.floor((Math.min(length, this.#control.length) - HEADER) / INT);
    return Array.from({ length: count }, (_, i) => control.getInt32(HEADER + i * INT, true));
  }
}
