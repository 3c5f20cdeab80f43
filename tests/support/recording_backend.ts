import { Buffer } from "node:buffer";
import net from "node:net";

/** One request as a strict reader found it on the wire. */
export interface WireRequest {
  readonly method: string;
  readonly target: string;
  /** Request line and field lines exactly as they came. */
  readonly head: string;
  readonly body: string;
  /** Trailer lines exactly as they came. */
  readonly trailers: string;
}

/**
 * Reads requests from a connection with an opinion of its own: nothing but the plainest form of RFC 9112
 * is understood, and whatever deviates is reported instead of interpreted. It shares no code with the
 * gateway, so that a mistake there is not made here too.
 */
export class StrictReader {
  readonly requests: WireRequest[] = [];
  /** Why bytes are no plain request, "" as long as all were. */
  strange = "";
  #text = "";

  /** Takes bytes, as Latin-1 text. */
  add(text: string): void {
    this.#text += text;
    while (this.strange === "" && this.#next());
  }

  /** Bytes of a request that is not complete. */
  get rest(): string {
    return this.#text;
  }

  #next(): boolean {
    const end = this.#text.indexOf("\r\n\r\n");
    if (end < 0) return false;
    const head = this.#text.slice(0, end + 2);
    const [line, ...fields] = head.slice(0, -2).split("\r\n");
    const parts = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+) ([\x21-\x7e]+) HTTP\/1\.1$/.exec(line);
    if (parts === null) return this.#refuse(`request line ${JSON.stringify(line)}`);
    const values = new Map<string, string[]>();
    for (const field of fields) {
      const match = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*([\t\x20-\x7e\x80-\xff]*)$/.exec(field);
      if (match === null) return this.#refuse(`field ${JSON.stringify(field)}`);
      const name = match[1].toLowerCase();
      values.set(name, [...values.get(name) ?? [], match[2].trim()]);
    }
    if (values.get("host")?.length !== 1) return this.#refuse(`hosts ${values.get("host")}`);
    const lengths = values.get("content-length") ?? [];
    const codings = values.get("transfer-encoding") ?? [];
    if (lengths.length + codings.length > 1) {
      return this.#refuse(`framing ${lengths} and ${codings}`);
    }
    if (codings.length > 0 && codings[0] !== "chunked") return this.#refuse(`coding ${codings}`);
    if (lengths.length > 0 && !/^\d+$/.test(lengths[0])) return this.#refuse(`length ${lengths}`);
    const rest = this.#text.slice(end + 4);
    const content = codings.length > 0
      ? this.#chunks(rest)
      : { body: rest.slice(0, Number(lengths[0] ?? 0)), trailers: "", length: 0 };
    if (content === null) return false;
    if (codings.length === 0) {
      if (content.body.length < Number(lengths[0] ?? 0)) return false;
      content.length = content.body.length;
    }
    this.requests.push({ method: parts[1], target: parts[2], head, ...content });
    this.#text = rest.slice(content.length);
    return true;
  }

  #chunks(text: string): { body: string; trailers: string; length: number } | null {
    let at = 0;
    let body = "";
    for (;;) {
      const end = text.indexOf("\r\n", at);
      if (end < 0) return null;
      const digits = text.slice(at, end);
      if (!/^[0-9a-f]+$/.test(digits)) {
        this.#refuse(`chunk size ${JSON.stringify(digits)}`);
        return null;
      }
      const size = parseInt(digits, 16);
      at = end + 2;
      if (size === 0) break;
      if (text.length < at + size + 2) return null;
      body += text.slice(at, at + size);
      at += size + 2;
      if (text.slice(at - 2, at) !== "\r\n") {
        this.#refuse("no CRLF behind a chunk");
        return null;
      }
    }
    const end = text.startsWith("\r\n", at) ? at : text.indexOf("\r\n\r\n", at) + 2;
    if (end < 2) return null;
    return { body, trailers: text.slice(at, end), length: end + 2 };
  }

  #refuse(reason: string): false {
    this.strange = reason;
    return false;
  }
}

/** What one connection from the gateway brought. */
interface Recorded {
  readonly reader: StrictReader;
  bytes: string;
  answered: number;
}

/**
 * An HTTP/1.1 backend that keeps every byte it gets and answers each complete request with its target,
 * so that an answer given to the wrong request shows.
 */
export class RecordingBackend {
  readonly requests: WireRequest[] = [];
  readonly #server: net.Server;
  readonly #sockets = new Set<net.Socket>();
  readonly #connections: Recorded[] = [];
  readonly #waiting: { text: string; resolve: () => void }[] = [];

  private constructor() {
    this.#server = net.createServer((socket) => this.#serve(socket));
  }

  static async start(): Promise<RecordingBackend> {
    const backend = new RecordingBackend();
    await new Promise<void>((resolve) => backend.#server.listen(0, "127.0.0.1", resolve));
    return backend;
  }

  get port(): number {
    return (this.#server.address() as net.AddressInfo).port;
  }

  /** Whatever reached us that was not a plain request. */
  get strange(): string[] {
    return this.#connections.map(({ reader }) => reader.strange).filter((reason) => reason !== "");
  }

  /** Every byte received, over all connections. */
  get bytes(): string {
    return this.#connections.map(({ bytes }) => bytes).join("");
  }

  /** Resolves when one connection has brought this text. */
  received(text: string): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push({ text, resolve });
      this.#wake();
    });
  }

  #wake(): void {
    for (const { text, resolve } of this.#waiting) {
      if (this.#connections.some(({ bytes }) => bytes.includes(text))) resolve();
    }
  }

  /** Forgets what was recorded; connections go on. */
  clear(): void {
    this.requests.length = 0;
    for (const connection of this.#connections) connection.bytes = "";
  }

  #serve(socket: net.Socket): void {
    const recorded: Recorded = { reader: new StrictReader(), bytes: "", answered: 0 };
    this.#connections.push(recorded);
    this.#sockets.add(socket);
    socket.setNoDelay(true);
    socket.on("data", (chunk: Buffer) => {
      const text = chunk.toString("latin1");
      recorded.bytes += text;
      recorded.reader.add(text);
      this.#wake();
      const { requests } = recorded.reader;
      for (; recorded.answered < requests.length; recorded.answered++) {
        const request = requests[recorded.answered];
        this.requests.push(request);
        socket.write(answerTo(request));
      }
    });
    socket.on("error", () => {});
    socket.on("close", () => this.#sockets.delete(socket));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }
}

function answerTo({ method, target }: WireRequest): Buffer {
  const body = method === "HEAD" ? "" : target;
  return Buffer.from(
    `HTTP/1.1 200 OK\r\ncontent-length: ${target.length}\r\n\r\n${body}`,
    "latin1",
  );
}
