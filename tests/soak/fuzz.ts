/**
 * Peers that send anything and leave at any byte, for some minutes: random bytes in the clear and where TLS is spoken,
 * records of TLS that are changed on their way, and ends of every kind. The process must live, no worker may die, and
 * descriptors and memory must come back to where they were. Before that, each of `FUZZERS` runs for as long.
 * Exit code 1 otherwise.
 *
 * Usage: fuzz.ts [--minutes N] [--transport node|native] [--seed N] [--only NAME]
 */
import { Buffer } from "node:buffer";
import net from "node:net";
import tls from "node:tls";
import { parseFlags } from "../../common/flags.ts";
import { readCommandLine } from "../../common/program.ts";
import { TRANSPORTS } from "../../dataplane/net/create_transport.ts";
import { nativeProblem } from "../../dataplane/net/native/native_problem.ts";
import { print, progress } from "../bench/print.ts";
import { Authority, secret } from "../support/authority.ts";
import { textBackend } from "../support/backends.ts";
import { backend, documents, Edge, route, secureGateway } from "../support/edge.ts";
import { HttpConnection } from "../support/http_client.ts";
import { descriptorsOf, injectFault, Metrics } from "../support/metrics.ts";
import { freePort } from "../support/programs.ts";
import { Dice } from "./fuzz_dice.ts";
import { FUZZERS } from "./fuzzers.ts";

const FLAGS = {
  "minutes": { type: "integer", default: 10, range: [1, 10_000], help: "how long" },
  "transport": { type: "string", default: "native", choices: TRANSPORTS, help: "what is attacked" },
  "only": {
    type: "string",
    default: "all",
    choices: ["all", "peers", ...Object.keys(FUZZERS)],
    help: "what is done: peers, or one of the parsers",
  },
  "seed": { type: "integer", default: 0, range: [0, 2 ** 31], help: "of the dice, 0 for any" },
} as const;

const WORKERS = 2;
const CLIENTS = 24;
const MINUTE = 60_000;
/** Descriptors that may come and go beside these connections: of pools, and of the agent. */
const OTHER_DESCRIPTORS = 8;
/** Bytes by which memory may differ: what the runtime has compiled meanwhile. */
const SLACK = 4 << 20;
const HTTP = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
const PREFACE = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

const flags = readCommandLine("fuzz", () => parseFlags("fuzz", FLAGS, Deno.args, () => undefined));
const seed = flags.seed || crypto.getRandomValues(new Uint32Array(1))[0] >>> 1;
print(`seed ${seed}`);

for (const [name, fuzz] of Object.entries(FUZZERS)) {
  if (flags.only !== "all" && flags.only !== name) continue;
  const { summary, failures } = await fuzz(flags.minutes * MINUTE, seed);
  for (const failure of failures) print(`FAILED: ${failure}`);
  print(`${failures.length === 0 ? "ok" : "FAILED"}: ${name}: ${summary}`);
  if (failures.length > 0) Deno.exit(1);
  if (flags.only === name) Deno.exit(0);
}

const problem = flags.transport === "native" ? nativeProblem() : "";
if (problem !== "") {
  print(`left out: the native transport ${problem}`);
  Deno.exit(0);
}

const authority = await Authority.create();
const pair = await authority.issue({ name: "localhost", dns: ["localhost"] });
await using blue = textBackend("blue");
const [plain, secure] = [freePort(), freePort()];
await using edge = await Edge.start({
  "all.yaml": documents(
    secureGateway("edge", plain, secure, "site"),
    secret("site", pair),
    backend("blue", blue.port),
    route("all", "blue"),
  ),
}, {
  workers: WORKERS,
  dataplaneArgs: ["--fault-injection", "--transport", flags.transport],
});

const counts = new Map<string, number>();

function count(what: string): void {
  counts.set(what, (counts.get(what) ?? 0) + 1);
}

/** Ends a socket in one of the ways in which sockets end. */
function leave(socket: net.Socket, dice: Dice): void {
  switch (dice.below(4)) {
    case 0:
      socket.end();
      setTimeout(() => socket.destroy(), dice.below(50));
      break;
    case 1:
      socket.resetAndDestroy();
      break;
    default:
      socket.destroy();
  }
}

/** Resolves when it is over, which it is in any case after a while. */
function played(socket: net.Socket, dice: Dice, play: () => void | Promise<void>): Promise<void> {
  return new Promise((resolve) => {
    const guard = setTimeout(() => socket.destroy(), 200 + dice.below(800));
    socket.on("error", () => {});
    socket.on("close", () => {
      clearTimeout(guard);
      resolve();
    });
    socket.resume();
    socket.once("connect", () => void play());
  });
}

async function pieces(socket: net.Socket, bytes: Uint8Array, dice: Dice): Promise<void> {
  for (let at = 0; at < bytes.length && !socket.destroyed;) {
    const length = 1 + dice.below(bytes.length - at);
    socket.write(bytes.subarray(at, at + length));
    at += length;
    if (dice.below(3) === 0) await new Promise((resolve) => setTimeout(resolve, dice.below(5)));
  }
}

/** Anything, or the beginning of something right, at a port. */
function noise(port: number, dice: Dice): Promise<void> {
  const socket = net.connect({ host: "127.0.0.1", port, noDelay: true });
  return played(socket, dice, async () => {
    const start = dice.pick([HTTP, PREFACE, "\x16\x03\x01", "PROXY TCP4 ", ""]);
    const bytes = Buffer.concat([Buffer.from(start, "latin1"), dice.bytes(dice.below(4_000))]);
    await pieces(socket, bytes, dice);
    leave(socket, dice);
  });
}

/** A client of TLS whose records are changed, cut or doubled between it and the edge. */
async function records(dice: Dice): Promise<void> {
  const raw = net.connect({ host: "127.0.0.1", port: secure, noDelay: true });
  const spoiled = new Spoiled(raw, dice);
  const client = tls.connect({
    socket: spoiled as unknown as net.Socket,
    servername: "localhost",
    ca: pair.certificate,
    rejectUnauthorized: false,
    ALPNProtocols: dice.pick([["h2", "http/1.1"], ["http/1.1"], ["nothing"]]),
    maxVersion: dice.pick(["TLSv1.3", "TLSv1.2"] as const),
  });
  client.on("error", () => {});
  client.once("secureConnect", () => {
    count("handshakes");
    client.write(client.alpnProtocol === "h2" ? PREFACE : HTTP);
    client.write(dice.bytes(dice.below(20_000)));
    if (dice.below(2) === 0) client.end();
  });
  await played(raw, dice, () => new Promise((resolve) => setTimeout(resolve, dice.below(60))));
  client.destroy();
}

/** A duplex over a socket that spoils some of what is written to it. */
class Spoiled extends net.Socket {
  constructor(readonly raw: net.Socket, readonly dice: Dice) {
    super();
    raw.on("data", (bytes: Uint8Array) => this.push(bytes));
    raw.on("end", () => this.push(null));
    raw.on("close", () => this.destroy());
    raw.on("connect", () => this.emit("connect"));
  }

  override _read(): void {}

  override _write(chunk: Uint8Array, _encoding: unknown, done: (error?: Error) => void): void {
    const bytes = Buffer.from(chunk);
    const { dice, raw } = this;
    for (let i = dice.below(3); i > 0 && bytes.length > 0; i--) {
      bytes[dice.below(bytes.length)] = dice.below(256);
    }
    const cut = dice.below(4) === 0 ? dice.below(bytes.length + 1) : bytes.length;
    if (!raw.destroyed) {
      raw.write(bytes.subarray(0, cut));
      if (dice.below(6) === 0) raw.write(bytes);
      if (cut < bytes.length) leave(raw, dice);
    }
    done();
  }

  override _final(done: () => void): void {
    this.raw.end();
    done();
  }
}

async function client(number: number, until: number): Promise<void> {
  const dice = new Dice(seed + number);
  while (performance.now() < until) {
    const kind = dice.pick(["plain", "secure", "records", "records"]);
    count(kind);
    if (kind === "records") await records(dice).catch(() => {});
    else await noise(kind === "plain" ? plain : secure, dice);
  }
}

interface Rest {
  readonly descriptors: number;
  readonly native: number;
  readonly heap: number;
}

/** What the process holds when nothing is going on. */
async function rest(): Promise<Rest> {
  for (let round = 0; round < 3; round++) {
    for (let worker = 0; worker < WORKERS; worker++) await injectFault(edge, worker, "collect");
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
  const metrics = await Metrics.read(edge);
  return {
    descriptors: descriptorsOf(edge.dataplane.process.pid),
    native: metrics.sum("novaedge_native_memory_bytes"),
    heap: metrics.sum("novaedge_worker_heap_bytes") + metrics.sum("novaedge_worker_external_bytes"),
  };
}

async function answers(): Promise<boolean> {
  using open = await HttpConnection.open(plain);
  const clear = await open.request("GET", "/");
  const servername = "localhost";
  using closed = await HttpConnection.open(secure, { tls: { servername } });
  const covert = await closed.request("GET", "/");
  return clear.body === "blue" && covert.body === "blue";
}

/** Until nothing that clients left is open any more. */
async function quiet(): Promise<void> {
  for (let i = 0; i < 120; i++) {
    if ((await Metrics.read(edge)).sum("novaedge_connections_open") === 0) return;
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}

const run = (milliseconds: number) => {
  const until = performance.now() + milliseconds;
  return Promise.all(Array.from({ length: CLIENTS }, (_, i) => client(i, until)));
};

// What is compiled and cached by then is no leak.
await answers();
await run(MINUTE / 6);
await quiet();
const before = await rest();
for (let minute = 0; minute < flags.minutes; minute++) {
  await run(MINUTE);
  progress(`${minute + 1} of ${flags.minutes} minutes`);
}
await quiet();
const after = await rest();
const failures: string[] = [];
if (!await answers().catch(() => false)) failures.push("it does not answer any more");
const deaths = (await Metrics.read(edge)).sum("novaedge_worker_deaths_total");
if (deaths !== 0) failures.push(`${deaths} workers died`);
if (after.descriptors > before.descriptors + OTHER_DESCRIPTORS) {
  failures.push(`${before.descriptors} descriptors became ${after.descriptors}`);
}
for (const what of ["native", "heap"] as const) {
  if (after[what] > before[what] + SLACK) {
    failures.push(`${what} memory: ${before[what]} bytes became ${after[what]}`);
  }
}
if (!counts.has("handshakes")) failures.push("no handshake was made: the records were not TLS's");
for (const failure of failures) print(`FAILED: ${failure}`);
const megabytes = (bytes: number) => (bytes / (1 << 20)).toFixed(1);
const total = [...counts].map(([kind, count]) => `${count} ${kind}`).join(", ");
print(
  `${failures.length === 0 ? "ok" : "FAILED"}: connections: ${total}; descriptors ` +
    `${before.descriptors} to ${after.descriptors}, native ${megabytes(before.native)} to ` +
    `${megabytes(after.native)} MB, heap and external ${megabytes(before.heap)} to ` +
    `${megabytes(after.heap)} MB`,
);
await edge[Symbol.asyncDispose]();
Deno.exit(failures.length === 0 ? 0 : 1);
