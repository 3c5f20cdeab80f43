import { Buffer } from "node:buffer";

/** Bytes in front of a gRPC message: whether it is compressed, and its length. */
export const PREFIX = 5;
const CONTENT = 16;

/** Bytes of a message with its prefix. */
export const MESSAGE_LENGTH = PREFIX + CONTENT;

/** A message with its prefix; its first two bytes say with how many copies it is to be answered. */
export function grpcMessage(copies: number): Buffer {
  const message = Buffer.alloc(MESSAGE_LENGTH, "grpc");
  message[0] = 0;
  message.writeUInt32BE(CONTENT, 1);
  message.writeUInt16BE(copies, PREFIX);
  return message;
}

/** Copies that a message asks for. */
export function copiesOf(message: Buffer): number {
  return message.length < PREFIX + 2 ? 1 : message.readUInt16BE(PREFIX);
}
