/**
 * Slow connections from several addresses: each sends the beginning of a head and then a byte now and
 * then, for as long as the edge lets it. Usage: slow_clients.ts PORT CONNECTIONS. Prints a line of JSON
 * when all have ended.
 */
import type { Buffer } from "node:buffer";
import net from "node:net";
import { pause, pick, roll } from "./dice.ts";

/** Source addresses 127.0.0.2 and up. */
const ADDRESSES = 8;
/** Connections opened each millisecond or so. */
const BURST = 4;
/** Milliseconds between two bytes. */
const BETWEEN = [1_500, 4_000] as const;
/** Milliseconds after which a connection that the edge leaves alone is given up. */
const PATIENCE = 40_000;

/** What the edge sends before it ends a connection for its slowness. */
const TIMED_OUT = /^HTTP\/1\.1 408 /;

const BEGINNINGS = [
  "GET /slow HTTP/1.1\r\nhost: slow.example.com\r\nx-a: ",
  "POST /slow HTTP/1.1\r\nhost: slow.example.com\r\ncontent-le",
  "GET /sl",
  "G",
];

/** How slow connections ended, by kind. */
export interface SlowReport {
  /** 408, then the end. */
  readonly timedOut: number;
  /** Ended in another way, or never. */
  readonly otherwise: number;
  readonly firstOther: string;
  /** Shortest and longest life, in milliseconds. */
  readonly shortest: number;
  readonly longest: number;
}

interface End {
  readonly how: string;
  readonly lived: number;
}

/** One slow connection, until it ends. */
function beSlow(port: number, index: number): Promise<End> {
  const { promise, resolve } = Promise.withResolvers<End>();
  const localAddress = `127.0.0.${2 + index % ADDRESSES}`;
  const socket = net.connect({ host: "127.0.0.1", port, localAddress, noDelay: true });
  let start = performance.now();
  let received = "";
  let timer: ReturnType<typeof setTimeout> | undefined;
  const giveUp = setTimeout(() => over("left alone"), PATIENCE);
  const over = (how: string) => {
    clearTimeout(timer);
    clearTimeout(giveUp);
    socket.destroy();
    resolve({ how, lived: performance.now() - start });
  };
  const drip = () => {
    socket.write("x");
    timer = setTimeout(drip, roll(...BETWEEN));
  };
  socket.on("connect", () => {
    start = performance.now();
    socket.write(pick(BEGINNINGS));
    timer = setTimeout(drip, roll(...BETWEEN));
  });
  socket.on("data", (data: Buffer) => received += data.toString("latin1"));
  // A byte behind the edge's end would be an error of ours.
  socket.on("end", () => clearTimeout(timer));
  socket.on("error", (error: Error) => over(error.message));
  socket.on("close", () => over(TIMED_OUT.test(received) ? "408" : `closed after "${received}"`));
  return promise;
}

if (import.meta.main) {
  const [port, connections] = Deno.args.map(Number);
  const ends: Promise<End>[] = [];
  for (let i = 0; i < connections; i++) {
    ends.push(beSlow(port, i));
    if (i % BURST === 0) await pause(1);
  }
  const all = await Promise.all(ends);
  const others = all.filter(({ how }) => how !== "408");
  const lives = all.map(({ lived }) => Math.round(lived));
  const report: SlowReport = {
    timedOut: all.length - others.length,
    otherwise: others.length,
    firstOther: others[0]?.how ?? "",
    shortest: lives.reduce((a, b) => Math.min(a, b), Infinity),
    longest: lives.reduce((a, b) => Math.max(a, b), 0),
  };
  Deno.stdout.writeSync(new TextEncoder().encode(`${JSON.stringify(report)}\n`));
  Deno.exit(0);
}
