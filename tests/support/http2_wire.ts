import { Buffer } from "node:buffer";
import { FieldSection } from "../../dataplane/http2/field_section.ts";
import { FRAME_HEADER, FrameType, putFrameHeader } from "../../dataplane/http2/frame.ts";
import { FrameReader } from "../../dataplane/http2/frame_reader.ts";
import { HpackDecoder } from "../../dataplane/http2/hpack_decoder.ts";
import { Pseudo } from "../../dataplane/http2/field_entry.ts";
import { HeaderBlock } from "../../dataplane/message/header_block.ts";

/** A field as it stands in a section, pseudo-header fields with their colon. */
export type Field = readonly [name: string, value: string];

/** One frame in bytes; nothing is checked. */
export function frame(type: number, flags: number, stream: number, payload: Uint8Array): Buffer {
  const out = Buffer.alloc(FRAME_HEADER + payload.length);
  putFrameHeader(out, 0, payload.length, type, flags, stream);
  out.set(payload, FRAME_HEADER);
  return out;
}

function integer(pattern: number, bits: number, value: number): number[] {
  const mask = (1 << bits) - 1;
  if (value < mask) return [pattern | value];
  const out = [pattern | mask];
  let rest = value - mask;
  for (; rest >= 128; rest = Math.floor(rest / 128)) out.push((rest % 128) | 128);
  return [...out, rest];
}

function string(text: string): Buffer {
  return Buffer.concat([Buffer.from(integer(0, 7, text.length)), Buffer.from(text, "latin1")]);
}

/** A field spelled out, whatever its bytes: what a well-behaved encoder would never send. */
export function literal(name: string, value: string): Buffer {
  return Buffer.concat([Buffer.from([0]), string(name), string(value)]);
}

/** A field spelled out that enters the peer's dynamic table (RFC 7541 section 6.2.1). */
export function indexedLiteral(name: string, value: string): Buffer {
  return Buffer.concat([Buffer.from([0x40]), string(name), string(value)]);
}

/** A reference to a table entry. */
export function reference(index: number): Buffer {
  return Buffer.from(integer(0x80, 7, index));
}

/** A section of literals. */
export function section(fields: readonly Field[]): Buffer {
  return Buffer.concat(fields.map(([name, value]) => literal(name, value)));
}

const PSEUDO: readonly [Pseudo, string][] = [
  [Pseudo.Method, ":method"],
  [Pseudo.Scheme, ":scheme"],
  [Pseudo.Authority, ":authority"],
  [Pseudo.Path, ":path"],
  [Pseudo.Status, ":status"],
  [Pseudo.Protocol, ":protocol"],
];

/** Decodes the field sections of one direction of a connection. */
export class SectionReader {
  readonly #decoder = new HpackDecoder(4096);
  readonly #section = new FieldSection(1 << 17, 1 << 18);
  readonly #block = new HeaderBlock(1024);

  read(view: Buffer): Field[] {
    this.#section.begin(this.#block);
    if (!this.#decoder.decode(view, 0, view.length, this.#section)) throw new Error("bad HPACK");
    const fields: Field[] = [];
    for (const [pseudo, name] of PSEUDO) {
      if (this.#section.has(pseudo)) fields.push([name, this.#section.value(pseudo)]);
    }
    for (let i = 0; i < this.#block.count; i++) {
      fields.push([this.#block.name(i), this.#block.value(i)]);
    }
    return fields;
  }
}

/** A frame as it arrived; content of DATA in its payload. */
export interface ReceivedFrame {
  readonly type: number;
  readonly flags: number;
  readonly stream: number;
  readonly payload: Buffer;
}

/** Cuts bytes into frames of any type. */
export function frameReader(onFrame: (received: ReceivedFrame) => void): FrameReader {
  let stream = 0;
  let flags = 0;
  let content: Buffer[] = [];
  return new FrameReader({
    onFrame: (type, flags, stream, payload) =>
      onFrame({ type, flags, stream, payload: Buffer.from(payload) }),
    onDataFrame(id, dataFlags) {
      stream = id;
      flags = dataFlags;
      content = [];
    },
    onDataContent: (view) => void content.push(Buffer.from(view)),
    onDataFrameEnd: () =>
      onFrame({ type: FrameType.Data, flags, stream, payload: Buffer.concat(content) }),
  });
}
