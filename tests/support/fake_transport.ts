import { verifySignature } from "../../dataplane/net/x509/verify_signature.ts";
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import type {
  BoundListener,
  Connection,
  ConnectionEvents,
  ConnectOptions,
  TlsFacts,
  Transport,
} from "../../dataplane/net/transport.ts";

/** Streams for tests: nothing happens but what the test does, in the turn in which it does it. */

const NOBODY: ConnectionEvents = { onData() {}, onDrain() {}, onEnd() {}, onClose() {} };

export class FakeConnection implements Connection {
  events: ConnectionEvents = NOBODY;
  remoteAddress = "192.0.2.1";
  readonly remotePort = 4711;
  readonly localAddress = "192.0.2.254";
  readonly localPort = 80;
  sendable = true;
  /** What `write` answers: false plays a peer that does not take bytes. */
  flowing = true;
  paused = false;
  ended = false;
  wasReset = false;
  closed = false;
  #written: Buffer[] = [];
  /** What arrived while paused; delivered by `resume`. */
  readonly #waiting: Buffer[] = [];

  constructor(readonly tls: TlsFacts | null = null) {}

  write(bytes: Uint8Array): boolean {
    assert.ok(!this.ended && !this.closed, "written after the end");
    // A copy: what is checked is the bytes at the time of the write.
    this.#written.push(Buffer.from(bytes));
    return this.flowing;
  }
  writeBoth(first: Uint8Array, second: Uint8Array): boolean {
    return this.write(Buffer.concat([first, second]));
  }
  pause(): void {
    this.paused = true;
  }
  resume(): void {
    this.paused = false;
    while (!this.paused && this.#waiting.length > 0) this.events.onData(this.#waiting.shift()!);
  }
  end(): void {
    this.ended = true;
  }
  reset(): void {
    this.wasReset = true;
    this.close();
  }
  close(): void {
    this.closed = true;
  }

  /** The peer sends bytes; a paused connection keeps them, as the kernel would. */
  receive(bytes: string | Buffer): void {
    const view = typeof bytes === "string" ? Buffer.from(bytes, "latin1") : bytes;
    if (this.paused) this.#waiting.push(view);
    else if (!this.closed) this.events.onData(view);
  }
  /** The connection is gone, as transports report it after every end. */
  gone(error: Error | null = null): void {
    this.closed = true;
    const { events } = this;
    this.events = NOBODY;
    events.onClose(error);
  }
  drained(): void {
    this.flowing = true;
    this.events.onDrain();
  }
  /** What was written since the last call. */
  take(): string {
    const text = Buffer.concat(this.#written).toString("latin1");
    this.#written = [];
    return text;
  }
}

export class FakeTransport implements Transport {
  readonly choosesCiphers = true;
  readonly verifySignature = verifySignature;

  close(): void {}

  identityProblem(): string {
    return "";
  }

  readonly opened: { options: ConnectOptions; connection: FakeConnection }[] = [];

  listen(): Promise<BoundListener> {
    throw new Error("not used by these tests");
  }
  connect(options: ConnectOptions): FakeConnection {
    const connection = new FakeConnection();
    connection.events = options.events;
    this.opened.push({ options, connection });
    return connection;
  }
  /** Completes the opening of connection number `index`. */
  establish(index: number): FakeConnection {
    const { options, connection } = this.opened[index];
    options.onConnect();
    return connection;
  }
}
