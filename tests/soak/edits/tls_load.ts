import { HttpConnection } from "../../support/http_client.ts";
import { routeHost, ROUTES } from "./site.ts";

/** Connections, and milliseconds between two requests of one: 300 requests a second. */
const LANES = 15;
const PERIOD = 50;

/** Requests over TLS at a steady rate, each of which must be answered by its backend. */
export class TlsLoad {
  sent = 0;
  /** What went wrong, with the time. */
  readonly failures: string[] = [];
  readonly #port: number;
  readonly #lanes: Promise<void>[];
  #stopped = false;

  constructor(port: number) {
    this.#port = port;
    this.#lanes = Array.from({ length: LANES }, (_, lane) => this.#run(lane));
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all(this.#lanes);
  }

  async #run(lane: number): Promise<void> {
    let due = performance.now() + (lane * PERIOD) / LANES;
    let connection: HttpConnection | null = null;
    for (let i = lane; !this.#stopped; i++, due += PERIOD) {
      await new Promise((resolve) => setTimeout(resolve, Math.max(0, due - performance.now())));
      const host = routeHost(i % ROUTES);
      try {
        connection ??= await HttpConnection.open(this.#port, { tls: { servername: host } });
        const { status, body, complete } = await connection.request("GET", "/", { host });
        if (status !== 200 || body !== "blue" || !complete) {
          this.#fail(`${host}: ${status} ${body}`);
        }
        if (connection.ended) connection = null;
      } catch (error) {
        this.#fail(`${host}: ${(error as Error).message}`);
        connection = null;
      }
      this.sent++;
    }
    connection?.close();
  }

  #fail(what: string): void {
    this.failures.push(`${new Date().toISOString()} ${what}`);
  }
}
