import { Buffer } from "node:buffer";
import type { MethodDefinition } from "@grpc/grpc-js";
import { wholeContent } from "../content.ts";

/** Bytes in front of a message's content: id and size of the answer, delay, status to end with. */
const HEADER = 16;

/** What a message asks of the server. */
export interface Ask {
  readonly id: number;
  readonly size: number;
  readonly delay: number;
  /** Status that ends the call instead of an answer, 0 for an answer. */
  readonly status: number;
}

export function askMessage({ id, size, delay, status }: Ask, upload: number): Buffer {
  const header = Buffer.alloc(HEADER);
  [id, size, delay, status].forEach((value, i) => header.writeUInt32BE(value, i * 4));
  return Buffer.concat([header, wholeContent(id, upload)]);
}

/** Reads a message; null when its content is not what its id stands for. */
export function readAsk(message: Buffer): Ask | null {
  const [id, size, delay, status] = [0, 4, 8, 12].map((at) => message.readUInt32BE(at));
  const content = message.subarray(HEADER);
  return content.equals(wholeContent(id, content.length)) ? { id, size, delay, status } : null;
}

/** Field that names a call. */
export const CALL_ID = "x-soak-id";

/** The service under a name, which is what routes tell apart. */
export function grpcService(name: string) {
  const same = (value: Buffer) => value;
  const method = (path: string, stream: boolean) => ({
    path: `/${name}/${path}`,
    requestStream: stream,
    responseStream: stream,
    requestSerialize: same,
    requestDeserialize: same,
    responseSerialize: same,
    responseDeserialize: same,
  } satisfies MethodDefinition<Buffer, Buffer>);
  return { unary: method("Unary", false), bidi: method("Bidi", true) };
}

export const CALM = "soak.Calm";
export const TORN = "soak.Torn";
