import { HttpConnection } from "../support/http_client.ts";

/** Requests on one connection before the next one is opened. */
const PER_CONNECTION = 50;
const CONNECTIONS = 12;
/** Milliseconds after which an answer counts as lost. */
const PATIENCE = 10_000;

/** Requests at a steady rate, and what became of them. */
export class Load {
  readonly #host: string;
  readonly #port: number;
  readonly #tls: boolean;
  readonly #rate: number;
  readonly failures: string[] = [];
  answers = 0;
  /** Connections that could not be opened. */
  refused = 0;
  #stopped = false;
  #due = 0;
  readonly #runs: Promise<void>[];
  readonly #began = performance.now();

  constructor(host: string, options: { port?: number; tls?: boolean; rate?: number } = {}) {
    const { port = 80, tls = false, rate = 300 } = options;
    this.#host = host;
    this.#port = port;
    this.#tls = tls;
    this.#rate = rate;
    this.#runs = Array.from({ length: CONNECTIONS }, () => this.#run());
  }

  /** Resolves when so many more answers have come. */
  async more(count: number): Promise<void> {
    const until = this.answers + count;
    while (this.answers < until && this.failures.length === 0) await wait(20);
  }

  /** Ends the load; what was asked is answered first. */
  async stop(): Promise<Load> {
    this.#stopped = true;
    await Promise.all(this.#runs);
    return this;
  }

  /** Waits until the next request is due. */
  async #turn(): Promise<void> {
    const at = this.#began + ++this.#due * 1_000 / this.#rate;
    const early = at - performance.now();
    if (early > 1) await wait(early);
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      let connection: HttpConnection;
      try {
        connection = await HttpConnection.open(this.#port, {
          host: this.#host,
          ...(this.#tls ? { tls: { servername: "a.example.com" } } : {}),
        });
      } catch (error) {
        this.refused++;
        this.failures.push(`${new Date().toISOString()} connect: ${(error as Error).message}`);
        await wait(50);
        continue;
      }
      await this.#use(connection);
      connection.socket.destroy();
    }
  }

  async #use(connection: HttpConnection): Promise<void> {
    for (let i = 0; i < PER_CONNECTION && !this.#stopped; i++) {
      await this.#turn();
      // A connection that was closed while nobody used it is no failure.
      if (connection.ended) return;
      const limit = setTimeout(() => connection.socket.destroy(), PATIENCE);
      const { status, headers, complete } = await connection.request("GET", "/");
      clearTimeout(limit);
      if (status === 200 && complete) this.answers++;
      else this.failures.push(`${new Date().toISOString()} status ${status}, complete ${complete}`);
      if (status === 0 || headers.get("connection") === "close") return;
    }
  }
}

function wait(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
