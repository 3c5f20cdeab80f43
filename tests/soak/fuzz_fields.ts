/**
 * Request heads whose fields are made of separators, tokens, quotes, parameters and addresses, at a
 * worker that reads them all, over HTTP/1.1 and HTTP/2: nothing may be thrown, and no head may take long.
 */
import { Buffer } from "node:buffer";
import { Flag, FrameType } from "../../dataplane/http2/frame.ts";
import type { Harness } from "../support/exchange_harness.ts";
import { fieldReaders, READ_FIELDS, READER_PATHS } from "../support/field_readers.ts";
import { frameClient, pseudo } from "../support/http2_frames.ts";
import { type Field, frame, section } from "../support/http2_wire.ts";
import { Dice } from "./fuzz_dice.ts";
import { type Fuzzed, Fuzzing } from "./fuzzing.ts";

/** Bytes of the longest value. */
const LONGEST = 64 * 1024;
/** Heads that one worker gets before the next: it must not keep their remains forever. */
const PER_WORKER = 100;
const FRAME = 16_384;

const PIECES = [
  ...[
    ",",
    ";",
    "=",
    " ",
    "\t",
    '"',
    "\\",
    "'",
    ":",
    ".",
    "-",
    "/",
    "*",
    "[",
    "]",
    "(",
    ")",
    "%",
    "&",
  ],
  ...[
    "a",
    "user",
    "edge",
    "gzip",
    "br",
    "zstd",
    "identity",
    "close",
    "keep-alive",
    "upgrade",
    "te",
  ],
  ...["q=", "q=0.001", "q=1.0000", "q=x", ";q=1", "x=y", "user=", "edge=", "for=", "by=", "host="],
  ...["10.0.0.1", "192.0.2.1", "203.0.113.7", "255.255.255.256", "1.2.3", "::1", "2001:db8::1"],
  ...["[2001:db8::1]", "[::ffff:10.0.0.1]:80", ":80", ":99999", "unknown", "_hidden", "1:"],
  ...["bytes=", "0-", "-1", "0-0", 'W/"', '"x"', "1.1 proxy", "HTTP/2.0", "trailers", "deflate"],
  ...[
    "Bearer ",
    "Basic ",
    "eyJhbGciOiJFUzI1NiJ9",
    "dXNlcjpwYXNz",
    "A==",
    "..",
    "https://",
    ".test",
  ],
  ...[
    "00-",
    "4bf92f3577b34da6a3ce929d0e0e4736",
    "-00f067aa0ba902b7",
    "-01",
    "100-continue",
    "\xe9",
  ],
];
const SEPARATORS = [",", ", ", ";", "; ", " ", "=", "", ",,", ";;", ".", ":", "-", '","'];
const NAMES = ["x-key", "x-kez", "cookie", "cookif", "x_key", "via", "ete", "accept-encoding", "a"];
const METHODS = ["GET", "POST", "OPTIONS", "HEAD", "TRACE", "CONNECT"];
const HOSTS = ["h", "h:80", "[::1]", "a.example.com", "A.EXAMPLE.COM.", "localhost"];

interface Head {
  readonly method: string;
  readonly target: string;
  readonly host: string;
  readonly fields: readonly Field[];
}

/** Makes heads from choices. */
class FieldDice {
  constructor(readonly dice: Dice) {}

  head(): Head {
    const { dice } = this;
    const path = dice.pick(READER_PATHS);
    const query = dice.below(4) === 0 ? `?${this.#targetText()}` : "";
    const fields = dice.pick([() => this.#few(), () => this.#many(), () => this.#one()])();
    return {
      method: dice.below(3) === 0 ? dice.pick(METHODS) : "GET",
      target: `${path}${query}`,
      host: dice.below(8) === 0 ? this.#value(dice.pick([10, 300, LONGEST])) : dice.pick(HOSTS),
      fields,
    };
  }

  #targetText(): string {
    return this.#value(this.dice.pick([10, 200, 15_000])).replace(/[^!$-;=@-~]/g, "&");
  }

  /** A few fields that are read. */
  #few(): Field[] {
    const { dice } = this;
    return Array.from({ length: 1 + dice.below(8) }, () => {
      const name = dice.pick(READ_FIELDS);
      return [name, this.#value(dice.pick([5, 100, 1_000, 8_000]))];
    });
  }

  /** Many fields, of few names. */
  #many(): Field[] {
    const { dice } = this;
    const names = Array.from(
      { length: 1 + dice.below(3) },
      () => dice.pick([...NAMES, ...READ_FIELDS]),
    );
    const count = dice.pick([20, 127, 200]);
    const longest = dice.pick([0, 5, Math.floor(LONGEST / count) - 40]);
    const values = Array.from({ length: 4 }, () => this.#value(longest));
    return Array.from({ length: count }, () => [dice.pick(names), dice.pick(values)]);
  }

  /** One field with all the bytes. */
  #one(): Field[] {
    return [[this.dice.pick(READ_FIELDS), this.#value(this.dice.pick([8_000, LONGEST]))]];
  }

  #value(longest: number): string {
    const { dice } = this;
    const values = [
      () => this.#repeated(longest),
      () => this.#elements(longest),
      () => this.#mixed(longest),
    ];
    let value = dice.pick(values)().slice(0, longest);
    if (dice.below(3) === 0) {
      const at = dice.below(value.length + 1);
      value = value.slice(0, at) + dice.pick(PIECES) + value.slice(at + dice.below(4));
    }
    return value.slice(0, longest).trim();
  }

  /** A few pieces over and over, behind the beginning of something right. */
  #repeated(longest: number): string {
    const { dice } = this;
    const pieces = Array.from({ length: 1 + dice.below(3) }, () => dice.pick(PIECES)).join("");
    const start = dice.below(2) === 0 ? "" : dice.pick(PIECES);
    return start + pieces.repeat(longest / pieces.length + 1);
  }

  /** Elements of one form, as lists have them. */
  #elements(longest: number): string {
    const { dice } = this;
    const [between, within] = [dice.pick(SEPARATORS), dice.pick(SEPARATORS)];
    const element = Array.from({ length: 1 + dice.below(4) }, () => dice.pick(PIECES)).join(within);
    const count = dice.below(dice.pick([3, 60, 20_000]));
    return Array(Math.min(count, Math.ceil(longest / (element.length + 1)))).fill(element)
      .join(between);
  }

  /** Any pieces. */
  #mixed(longest: number): string {
    const { dice } = this;
    let value = "";
    while (value.length < longest && dice.below(longest) > 0) {
      value += dice.pick(PIECES) + (dice.below(2) === 0 ? dice.pick(SEPARATORS) : "");
    }
    return value;
  }
}

function http1({ method, target, host, fields }: Head): Buffer {
  const lines = fields.map(([name, value]) => `${name}: ${value}\r\n`).join("");
  return Buffer.from(`${method} ${target} HTTP/1.1\r\nHost: ${host}\r\n${lines}\r\n`, "latin1");
}

function http2({ method, target, host, fields }: Head): Buffer {
  const all = [
    ...pseudo(method, target, host),
    ...fields.map(([name, value]): Field => [name.toLowerCase(), value]),
  ];
  const bytes = section(all);
  const frames: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += FRAME) {
    const type = at === 0 ? FrameType.Headers : FrameType.Continuation;
    const flags = (at === 0 ? Flag.EndStream : 0) |
      (at + FRAME >= bytes.length ? Flag.EndHeaders : 0);
    frames.push(frame(type, flags, 1, bytes.subarray(at, at + FRAME)));
  }
  return Buffer.concat(frames);
}

/** Milliseconds that a worker takes for a head, until its client leaves. */
function cost(edge: Harness, head: Head, version: 1 | 2): number {
  const connection = version === 1 ? edge.client() : frameClient(edge).connection;
  const bytes = version === 1 ? http1(head) : http2(head);
  const start = performance.now();
  connection.receive(bytes);
  edge.turnEnd.run();
  connection.gone();
  edge.engine.accessLog.flush();
  return performance.now() - start;
}

/**
 * Gives heads to workers for some time.
 * @param seed of the dice
 */
export async function fuzzFields(milliseconds: number, seed: number): Promise<Fuzzed> {
  const dice = new Dice(seed);
  const made = new FieldDice(dice);
  using fuzzing = new Fuzzing(milliseconds);
  while (fuzzing.goesOn) {
    const edge = fieldReaders();
    for (let i = 0; i < PER_WORKER; i++) {
      const head = made.head();
      const version = dice.below(2) === 0 ? 1 : 2;
      let first = true;
      fuzzing.run(() => JSON.stringify({ version, ...head }), () => {
        // What a worker remembers of the first time would hide what it costs.
        const worker = first ? edge : fieldReaders();
        first = false;
        return cost(worker, head, version);
      });
    }
    // Verdicts that policies promised come in turns of their own.
    await new Promise((resolve) => setTimeout(resolve));
  }
  return fuzzing.found("heads");
}
