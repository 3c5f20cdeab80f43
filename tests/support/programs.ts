import { shippedCommand } from "./shipped.ts";

/** Milliseconds after which a line that does not come fails the test instead of hanging it. */
const GUARD = 20_000;

/** A line of a program's log or output. */
type Line = string;

/** A running program whose lines can be awaited. */
export class Program {
  readonly process: Deno.ChildProcess;
  readonly lines: Line[] = [];
  readonly #waiting = new Set<
    { matches: (line: Line) => boolean; resolve: (line: Line) => void }
  >();
  readonly #readers: Promise<void>[];
  #status: Deno.CommandStatus | null = null;

  constructor(
    readonly name: string,
    command: string,
    args: string[],
    options: Deno.CommandOptions = {},
  ) {
    this.process = new Deno.Command(command, {
      args,
      stdout: "piped",
      stderr: "piped",
      stdin: "null",
      ...options,
    }).spawn();
    this.#readers = [this.#read(this.process.stdout), this.#read(this.process.stderr)];
    void this.process.status.then((status) => this.#status = status);
  }

  async #read(stream: ReadableStream<Uint8Array>): Promise<void> {
    let rest = "";
    for await (
      const text of stream.pipeThrough(
        new TextDecoderStream() as TransformStream<Uint8Array, string>,
      )
    ) {
      const lines = (rest + text).split("\n");
      rest = lines.pop()!;
      for (const line of lines) this.#add(line);
    }
    if (rest !== "") this.#add(rest);
    for (const waiter of this.#waiting) waiter.resolve("");
  }

  #add(line: Line): void {
    this.lines.push(line);
    for (const waiter of this.#waiting) {
      if (waiter.matches(line)) {
        this.#waiting.delete(waiter);
        waiter.resolve(line);
      }
    }
  }

  /** Position in the lines, to wait for what comes after it. */
  get mark(): number {
    return this.lines.length;
  }

  /** The first line from `from` on that matches; rejects when none comes. */
  async line(pattern: RegExp | ((line: Line) => boolean), from = 0): Promise<Line> {
    const matches = typeof pattern === "function" ? pattern : (line: Line) => pattern.test(line);
    const known = this.lines.slice(from).find(matches);
    if (known !== undefined) return known;
    let guard: ReturnType<typeof setTimeout> | undefined;
    const found = await new Promise<Line>((resolve) => {
      this.#waiting.add({ matches, resolve });
      guard = setTimeout(() => resolve(""), GUARD);
    });
    clearTimeout(guard);
    if (found !== "") return found;
    const last = this.lines.slice(-20).join("\n");
    throw new Error(`${this.name} gave no line like ${pattern}:\n${last}`);
  }

  /** Sends a signal and waits for the end. */
  async end(signal: Deno.Signal = "SIGTERM"): Promise<Deno.CommandStatus> {
    if (this.#status === null) {
      try {
        this.process.kill(signal);
      } catch {
        // Gone already.
      }
    }
    const status = await this.process.status;
    await Promise.all(this.#readers);
    return status;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end("SIGKILL");
  }
}

/** Starts a program of the suite as its task does, with the runtime that runs the tests. */
export function startProgram(name: string, args: string[]): Program {
  const [command, ...rest] = shippedCommand(name, args);
  return new Program(name, command, rest, { env: { NO_COLOR: "1", DENO_NO_UPDATE_CHECK: "1" } });
}

/** Below those that the system gives to connections, which could take a port before its program does. */
const PORTS = { first: 10_000, count: 20_000 };
let asked = Math.floor(Math.random() * PORTS.count);

/** A port that nothing uses now, never the same twice. */
export function freePort(): number {
  for (;;) {
    const port = PORTS.first + asked++ % PORTS.count;
    try {
      Deno.listen({ port, hostname: "0.0.0.0" }).close();
      return port;
    } catch (error) {
      if (!(error instanceof Deno.errors.AddrInUse)) throw error;
    }
  }
}
