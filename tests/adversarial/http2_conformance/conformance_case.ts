import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import {
  ErrorCode,
  Flag,
  FrameType,
  read31,
  read32,
  type Setting,
} from "../../../dataplane/http2/frame.ts";
import { four, settingsFrame, windowFrame } from "../../support/http2_frames.ts";
import { type Field, frame, section } from "../../support/http2_wire.ts";
import type { WireRequest } from "../../support/recording_backend.ts";
import type { Conversation } from "./conversation.ts";

/** What must come back; throws when something else does. */
export type Expectation = (client: Conversation) => Promise<void>;

/**
 * What a client does next: it sends bytes, which may depend on its connection, or waits. Bytes between two
 * waits leave in one write.
 */
export type Step = Uint8Array | Bytes | { readonly wait: Expectation };
type Bytes = (client: Conversation) => Uint8Array;

/** One rule of the protocol. */
export interface ConformanceCase {
  /** The case of h2spec that has the same subject: part, section and number. */
  readonly covers: string;
  /** Number and section of the RFC that makes the rule. */
  readonly rfc: string;
  readonly title: string;
  /** Whether not even preface and SETTINGS are sent. */
  readonly bare?: boolean;
  readonly steps: readonly Step[];
  readonly expect: Expectation;
}

/** Stream of the request that shows that a connection still serves; above those of all cases. */
const LAST_STREAM = 4001;
/** Window that is enough for any answer of the backend. */
export const AMPLE = 1000;
/** Flags of a HEADERS frame that is a whole request. */
export const WHOLE = Flag.EndHeaders | Flag.EndStream;
const FILLER: Field = ["x-filler", "x".repeat(4000)];

/** Runs a case on a connection of its own. */
export async function conform(
  { bare = false, steps, expect }: ConformanceCase,
  client: Conversation,
): Promise<void> {
  if (!bare) await client.greet();
  let unsent: Uint8Array[] = [];
  const flush = () => {
    if (unsent.length > 0) client.send(...unsent);
    unsent = [];
  };
  for (const step of steps) {
    if (step instanceof Uint8Array) unsent.push(step);
    else if (typeof step === "function") unsent.push(step(client));
    else {
      flush();
      await step.wait(client);
    }
  }
  flush();
  await expect(client);
}

/** How a frame with fields differs from the HEADERS of a plain GET on stream 1. */
interface HeadersOptions {
  /** CONTINUATION and PUSH_PROMISE carry fields too. */
  readonly type?: FrameType;
  readonly stream?: number;
  readonly method?: string;
  /** END_HEADERS and END_STREAM by default. */
  readonly flags?: number;
  readonly fields?: (fields: Field[]) => readonly Field[];
  /** What the frame carries in place of the encoded fields. */
  readonly payload?: (block: Buffer) => Uint8Array;
}

/** A HEADERS frame. */
export function headers(options: HeadersOptions = {}): Bytes {
  const { type = FrameType.Headers, stream = 1, method = "GET", flags = WHOLE } = options;
  const { fields = (plain) => plain, payload = (block) => block } = options;
  return (client) => {
    const block = section(fields(client.fields(stream, method)));
    return frame(type, flags, stream, payload(block));
  };
}

/** A GET. */
export function get(stream = 1): Bytes {
  return headers({ stream });
}

/** The head of a POST with more fields; content follows. */
export function post(...more: readonly Field[]): Step {
  const fields = (plain: Field[]) => [...plain, ...more];
  return headers({ method: "POST", flags: Flag.EndHeaders, fields });
}

/** A HEADERS frame whose field section goes on in CONTINUATION. */
export function unfinished(method = "GET", stream = 1): Step {
  return headers({ method, stream, flags: method === "GET" ? Flag.EndStream : 0 });
}

/** A CONTINUATION frame with a large field, or with other bytes. */
export function continuation(stream: number, flags: number, bytes = section([FILLER])): Buffer {
  return frame(FrameType.Continuation, flags, stream, bytes);
}

/** A field section behind the content. */
export function trailers(flags: number, ...fields: readonly Field[]): Buffer {
  return frame(FrameType.Headers, flags, 1, section(fields));
}

/** A SETTINGS frame with one value. */
export function setting(name: Setting | number, value: number): Buffer {
  return settingsFrame([[name, value]]);
}

/** A PRIORITY frame's payload, which HEADERS may begin with too (RFC 7540 section 6.3). */
export function priority(dependency: number, weight: number, exclusive = false): Buffer {
  const flag = exclusive ? 2 ** 31 : 0;
  return Buffer.concat([four(flag + dependency), Buffer.from([weight - 1])]);
}

/** Waits for the head of an answer. */
export function begun(stream = 1): Step {
  return {
    wait: (client) => client.until("an answer to begin", () => client.on(stream).status > 0),
  };
}

/** Waits for the end of an answer. */
export function over(stream = 1): Step {
  return { wait: (client) => client.until("an answer to end", () => client.on(stream).ended) };
}

/** Waits until so many SETTINGS beside the first were acknowledged. */
export function acknowledged(count = 1): Step {
  return {
    wait: (client) =>
      client.until("SETTINGS to be acknowledged", () => client.settingsAcks > count),
  };
}

/**
 * The connection ends: GOAWAY with one of these codes, once and last, then the end, in order.
 * @param lastStream what GOAWAY must name
 */
export function ends(codes: readonly ErrorCode[], lastStream?: number): Expectation {
  return async (client) => {
    await client.until("the connection to end", () => client.ended);
    assert.equal(client.broken, "");
    const [goAway, ...more] = client.of(FrameType.GoAway);
    assert.ok(goAway !== undefined && more.length === 0, client.story);
    assert.equal(client.frames.at(-1), goAway, client.story);
    assert.ok(codes.includes(read32(goAway.payload, 4)), client.story);
    if (lastStream !== undefined) assert.equal(read31(goAway.payload, 0), lastStream);
  };
}

/** The edge takes what was sent as an error of the connection. */
export function connectionError(...codes: readonly ErrorCode[]): Expectation {
  return ends(codes);
}

/** The connection is there: a PING comes back, another request is answered. */
export const lives: Expectation = async (client) => {
  await client.ping();
  const fields = client.fields(LAST_STREAM, "GET");
  client.send(
    frame(FrameType.Headers, WHOLE, LAST_STREAM, section(fields)),
    // Some cases leave their streams without a window.
    windowFrame(LAST_STREAM, AMPLE),
  );
  const answer = client.on(LAST_STREAM);
  await client.until("another answer", () => answer.over);
  assert.equal(answer.status, 200);
  assert.equal(answer.body, client.target(LAST_STREAM));
  assert.equal(answer.ended, true);
  assert.deepEqual(client.of(FrameType.GoAway), []);
  assert.deepEqual(answer.resets, []);
};

/** The edge takes what was sent as an error of one stream, and says so once. */
export function streamError(code: ErrorCode, stream = 1): Expectation {
  return async (client) => {
    // The answer to a PING cannot pass RST_STREAM.
    await lives(client);
    assert.deepEqual(client.on(stream).resets, [code], client.story);
  };
}

/** The request is malformed: it is not answered, and nobody behind the edge hears of it. */
export const malformed: Expectation = async (client) => {
  client.listener.hidden.push(client.target(1));
  await streamError(ErrorCode.ProtocolError)(client);
  assert.deepEqual(client.on(1).sections, []);
};

/** What an answer to a request on stream 1 is, and what the backend has received. */
interface Answered {
  readonly stream?: number;
  /** Whether the answer has no content. */
  readonly empty?: boolean;
  /** Content of the request. */
  readonly content?: string;
  /** Field lines of the request at the backend, in lower case. */
  readonly lines?: readonly string[];
  /** Trailer lines of the request at the backend. */
  readonly trailers?: string;
}

/** The request is answered; the backend has received it once, and as it was meant. */
export function complete(options: Answered = {}): Expectation {
  const { stream = 1, empty = false, content = "", lines = [], trailers = "" } = options;
  return async (client) => {
    const answer = client.on(stream);
    const target = client.target(stream);
    await client.until("an answer", () => answer.over);
    assert.equal(answer.status, 200, client.story);
    assert.equal(answer.ended, true);
    assert.equal(answer.sections.length, 1);
    assert.equal(answer.body, empty ? "" : target);
    assert.equal(answer.sections[0].get("content-length"), String(target.length));
    assert.deepEqual(answer.resets, []);
    const requests = client.listener.backend.requests.filter((each) => each.target === target);
    assert.deepEqual(requests.map((each) => [each.body, each.trailers]), [[content, trailers]]);
    const received = linesOf(requests[0]);
    for (const line of lines) assert.ok(received.includes(line), `${line} in ${received}`);
  };
}

function linesOf({ head }: WireRequest): string[] {
  return head.toLowerCase().split("\r\n");
}

/** Like `complete`; and the connection goes on. */
export function answered(options: Answered = {}): Expectation {
  return async (client) => {
    await complete(options)(client);
    await lives(client);
  };
}

/** The answer on stream 1 has come so far in DATA frames of these lengths, and stays there. */
export function sentInPieces(...lengths: readonly number[]): Expectation {
  const total = lengths.reduce((sum, length) => sum + length, 0);
  return async (client) => {
    const answer = client.on(1);
    await client.until(`${total} bytes of content`, () => answer.body.length >= total);
    await client.ping();
    const data = client.of(FrameType.Data).filter(({ stream }) => stream === 1);
    assert.deepEqual(data.map(({ payload }) => payload.length), lengths);
    assert.equal(answer.body, client.target(1).slice(0, total));
    assert.equal(answer.over, false);
  };
}
