import { Buffer } from "node:buffer";
import net from "node:net";
import tls from "node:tls";

/** An answer as it came over the wire. */
export interface Answer {
  readonly status: number;
  readonly headers: ReadonlyMap<string, string>;
  readonly body: string;
  /** Whether the message ended as its framing says. */
  readonly complete: boolean;
}

/** A keep-alive HTTP/1.1 connection that tells a complete answer from a cut one. */
export class HttpConnection {
  readonly socket: net.Socket;
  #bytes: Buffer = Buffer.alloc(0);
  #wake: (() => void) | null = null;
  #ended = false;

  private constructor(socket: net.Socket) {
    this.socket = socket;
    socket.on("data", (chunk: Buffer) => {
      this.#bytes = Buffer.concat([this.#bytes, chunk]);
      this.#wake?.();
    });
    const end = () => {
      this.#ended = true;
      this.#wake?.();
    };
    socket.on("end", end);
    socket.on("close", end);
    socket.on("error", end);
  }

  static open(
    port: number,
    options: { tls?: tls.ConnectionOptions; host?: string } = {},
  ): Promise<HttpConnection> {
    const { host = "127.0.0.1" } = options;
    return new Promise((resolve, reject) => {
      const socket = options.tls === undefined
        ? net.connect({ port, host, noDelay: true })
        : tls.connect({ port, host, rejectUnauthorized: false, ...options.tls });
      socket.once("error", reject);
      socket.once(options.tls === undefined ? "connect" : "secureConnect", () => {
        socket.removeListener("error", reject);
        resolve(new HttpConnection(socket));
      });
    });
  }

  /** Makes the handshake on a connection that is open already. */
  static over(socket: net.Socket, options: tls.ConnectionOptions): Promise<HttpConnection> {
    return new Promise((resolve, reject) => {
      const secure = tls.connect({ socket, rejectUnauthorized: false, ...options });
      secure.once("error", reject);
      secure.once("secureConnect", () => {
        secure.removeListener("error", reject);
        resolve(new HttpConnection(secure));
      });
    });
  }

  get ended(): boolean {
    return this.#ended;
  }

  write(text: string | Uint8Array): void {
    this.socket.write(text);
  }

  /** Sends a request and reads its answer. */
  async request(
    method: string,
    path: string,
    headers: Record<string, string> = {},
    body = "",
  ): Promise<Answer> {
    const fields = { host: "test.example.com", ...headers };
    const lines = Object.entries(fields).map(([name, value]) => `${name}: ${value}\r\n`).join("");
    const length = body === "" ? "" : `content-length: ${Buffer.byteLength(body)}\r\n`;
    this.write(`${method} ${path} HTTP/1.1\r\n${lines}${length}\r\n${body}`);
    return await this.answer(method);
  }

  /** Reads one answer; status 0 when the connection ended before its head. */
  async answer(method = "GET"): Promise<Answer> {
    let end: number;
    while ((end = this.#bytes.indexOf("\r\n\r\n")) < 0) {
      if (!await this.#more()) return { status: 0, headers: new Map(), body: "", complete: false };
    }
    const [first, ...lines] = this.#bytes.subarray(0, end).toString("latin1").split("\r\n");
    const headers = new Map(lines.map((line) => {
      const colon = line.indexOf(":");
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
    }));
    this.#bytes = this.#bytes.subarray(end + 4);
    const status = Number(first.split(" ")[1]);
    if (method === "HEAD" || status === 204 || status === 304 || status < 200) {
      return { status, headers, body: "", complete: true };
    }
    const [body, complete] = headers.get("transfer-encoding") === "chunked"
      ? await this.#chunked()
      : headers.has("content-length")
      ? await this.#take(Number(headers.get("content-length")))
      : await this.#rest();
    return { status, headers, body, complete };
  }

  /** The next bytes, whatever they are; fewer when the connection ends. */
  async take(length: number): Promise<string> {
    return (await this.#take(length))[0];
  }

  /** The same, a character a byte. */
  async takeLatin1(length: number): Promise<string> {
    while (this.#bytes.length < length) if (!await this.#more()) break;
    const bytes = this.#bytes.subarray(0, length);
    this.#bytes = this.#bytes.subarray(bytes.length);
    return bytes.toString("latin1");
  }

  /** Reads the head of an answer: its fields by lower-case name. */
  async head(): Promise<ReadonlyMap<string, string>> {
    let end: number;
    while ((end = this.#bytes.indexOf("\r\n\r\n")) < 0) {
      if (!await this.#more()) throw new Error("the connection ended within a head");
    }
    const [, ...lines] = this.#bytes.subarray(0, end).toString("latin1").split("\r\n");
    this.#bytes = this.#bytes.subarray(end + 4);
    return new Map(lines.map((line) => {
      const colon = line.indexOf(":");
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
    }));
  }

  close(): void {
    this.socket.destroy();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  async #more(): Promise<boolean> {
    if (this.#ended) return false;
    await new Promise<void>((resolve) => this.#wake = resolve);
    this.#wake = null;
    return !this.#ended || this.#bytes.length > 0;
  }

  async #take(length: number): Promise<[string, boolean]> {
    while (this.#bytes.length < length) {
      const before = this.#bytes.length;
      if (!await this.#more() || (this.#ended && this.#bytes.length === before)) break;
    }
    const body = this.#bytes.subarray(0, length);
    this.#bytes = this.#bytes.subarray(body.length);
    return [body.toString(), body.length === length];
  }

  async #chunked(): Promise<[string, boolean]> {
    let body = "";
    for (;;) {
      let end: number;
      while ((end = this.#bytes.indexOf("\r\n")) < 0) if (!await this.#more()) return [body, false];
      const size = parseInt(this.#bytes.subarray(0, end).toString(), 16);
      this.#bytes = this.#bytes.subarray(end + 2);
      const [data, complete] = await this.#take(size + 2);
      if (!complete) return [body + data, false];
      if (size === 0) return [body, true];
      body += data.slice(0, -2);
    }
  }

  async #rest(): Promise<[string, boolean]> {
    while (await this.#more());
    const body = this.#bytes.toString();
    this.#bytes = Buffer.alloc(0);
    return [body, true];
  }
}

/** One request on a connection of its own. */
export async function get(
  port: number,
  path = "/",
  headers: Record<string, string> = {},
): Promise<Answer> {
  using connection = await HttpConnection.open(port);
  return await connection.request("GET", path, headers);
}
