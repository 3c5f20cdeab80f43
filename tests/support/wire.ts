import { Buffer } from "node:buffer";
import net from "node:net";

/** Milliseconds after which a connection that does not end fails the test instead of hanging it. */
const GUARD = 8_000;

/** One answer read from raw bytes. */
export interface WireAnswer {
  readonly status: number;
  readonly head: string;
  readonly body: string;
}

/** All that came back on one connection. */
export interface WireResult {
  readonly answers: WireAnswer[];
  /** Bytes that are no complete answer. */
  readonly rest: string;
  /** How it ended: by FIN, by RST, or not at all. */
  readonly end: "fin" | "rst" | "open";
}

/**
 * Sends bytes over a connection of its own, a write for each piece, and collects what comes until the
 * peer ends it.
 * @param options.fin send FIN after the last piece
 * @param options.methods methods of the requests sent, since HEAD is answered without content
 */
export function talk(
  port: number,
  pieces: readonly string[],
  options: { fin?: boolean; methods?: readonly string[] } = {},
): Promise<WireResult> {
  return new Promise((resolve) => {
    let text = "";
    let over = false;
    const socket = net.connect({ port, host: "127.0.0.1", noDelay: true, allowHalfOpen: true });
    const finish = (end: WireResult["end"]) => {
      if (over) return;
      over = true;
      clearTimeout(guard);
      socket.destroy();
      resolve({ ...readAnswers(text, options.methods ?? []), end });
    };
    const guard = setTimeout(() => finish("open"), GUARD);
    socket.on("data", (data: Buffer) => text += data.toString("latin1"));
    socket.on("end", () => finish("fin"));
    socket.on("error", () => finish("rst"));
    socket.on("close", () => finish("rst"));
    socket.on("connect", async () => {
      for (const piece of pieces) {
        if (over) return;
        await new Promise<void>((written) => {
          socket.write(Buffer.from(piece, "latin1"), () => written());
        });
        // A turn of the loop between pieces keeps most of them apart on the other side.
        await new Promise((next) => setImmediate(next));
      }
      if (options.fin === true && !over) socket.end();
    });
  });
}

/** Reads answers as a careful client would: interim ones are skipped, content is by its framing. */
export function readAnswers(
  text: string,
  methods: readonly string[],
): { answers: WireAnswer[]; rest: string } {
  const answers: WireAnswer[] = [];
  let rest = text;
  for (;;) {
    const end = rest.indexOf("\r\n\r\n");
    const status = /^HTTP\/1\.1 (\d{3}) /.exec(rest);
    if (end < 0 || status === null) return { answers, rest };
    const head = rest.slice(0, end + 2);
    const content = rest.slice(end + 4);
    const code = Number(status[1]);
    if (code < 200) {
      rest = content;
      continue;
    }
    const bare = methods[answers.length] === "HEAD" || code === 204 || code === 304;
    const found = bare ? ["", content] : readContent(head, content);
    if (found === null) return { answers, rest };
    answers.push({ status: code, head, body: found[0] });
    rest = found[1];
  }
}

/** The content of an answer and what follows it; null when it is not complete. */
function readContent(head: string, text: string): [body: string, rest: string] | null {
  if (!/^transfer-encoding: chunked\r$/im.test(head)) {
    const length = /^content-length: (\d+)\r$/im.exec(head);
    // Nothing of ours sends an answer that ends with its connection: it would be taken for complete.
    if (length === null || text.length < Number(length[1])) return null;
    return [text.slice(0, Number(length[1])), text.slice(Number(length[1]))];
  }
  let body = "";
  for (let rest = text;;) {
    const line = /^([0-9a-f]+)\r\n/.exec(rest);
    if (line === null) return null;
    const size = parseInt(line[1], 16);
    const data = rest.slice(line[0].length);
    if (size === 0) {
      const end = data.startsWith("\r\n") ? 2 : data.indexOf("\r\n\r\n") + 4;
      return end < 2 || end === 3 ? null : [body, data.slice(end)];
    }
    if (data.length < size + 2 || !data.startsWith("\r\n", size)) return null;
    body += data.slice(0, size);
    rest = data.slice(size + 2);
  }
}

/** Cuts text at these positions. */
export function cut(text: string, positions: readonly number[]): string[] {
  const sorted = [...new Set(positions.map((at) => at % (text.length + 1)))].sort((a, b) => a - b);
  const pieces: string[] = [];
  let start = 0;
  for (const at of [...sorted, text.length]) {
    if (at > start) pieces.push(text.slice(start, at));
    start = Math.max(start, at);
  }
  return pieces;
}
