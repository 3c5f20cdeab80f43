/** What one client can do to others, from one address and with at most a megabyte a second. */
import { Buffer } from "node:buffer";
import net from "node:net";
import { PREFACE } from "../../../dataplane/http2/preface.ts";
import { Setting } from "../../../dataplane/http2/frame.ts";
import { headersFrame, pseudo, settingsFrame } from "../../support/http2_frames.ts";
import { OpenSslClient } from "../../support/openssl_client.ts";

/** The attacker's address: another one than that of normal clients. */
const ADDRESS = "127.0.0.2";
const RATE = 1_000_000;

/** Ports of the gateway. */
export interface Target {
  readonly http: number;
  readonly https: number;
  readonly limited: number;
}

/** What an attack noticed, by name. */
export type Report = Record<string, number>;

type Attack = (target: Target, over: AbortSignal) => Promise<Report>;

const pause = (milliseconds: number) =>
  new Promise<void>((resolve) => setTimeout(resolve, milliseconds));

function connect(port: number): net.Socket {
  const socket = net.connect({ port, host: "127.0.0.1", localAddress: ADDRESS, noDelay: true });
  socket.on("error", () => {});
  return socket;
}

/** Sends the same request again and again on a connection at a time, as fast as the rate allows. */
function repeated(request: (i: number) => string): Attack {
  return async ({ http }, over) => {
    let sent = 0;
    while (!over.aborted) {
      const bytes = Buffer.from(request(sent++), "latin1");
      const socket = connect(http);
      socket.end(bytes);
      socket.resume();
      await pause(bytes.length * 1_000 / RATE);
    }
    return { requests: sent };
  };
}

const HEAD = 60_000;

/** Connections of HTTP/2 whose windows are a byte, with a hundred requests each. */
const stalledStreams: Attack = async ({ http }, over) => {
  const open = () => {
    const socket = connect(http);
    socket.write(Buffer.concat([
      PREFACE,
      settingsFrame([[Setting.InitialWindowSize, 1]]),
      ...Array.from(
        { length: 100 },
        (_, i) => headersFrame(1 + 2 * i, pseudo("GET", "/stream", "h2.test"), true),
      ),
    ]));
    socket.resume();
    return socket;
  };
  return await kept(10, open, over);
};

/** Requests whose content never ends, more than an endpoint may have connections. */
const unfinishedPosts: Attack = async ({ http }, over) => {
  const open = () => {
    const socket = connect(http);
    socket.write(Buffer.concat([
      PREFACE,
      settingsFrame([]),
      ...Array.from(
        { length: 100 },
        (_, i) => headersFrame(1 + 2 * i, pseudo("POST", "/", "normal.example.com"), false),
      ),
    ]));
    socket.resume();
    return socket;
  };
  return await kept(11, open, over);
};

/** Keeps so many connections open, a new one for each that ends, ten a second at most. */
async function kept(count: number, open: () => net.Socket, over: AbortSignal): Promise<Report> {
  const sockets = new Set<net.Socket>();
  let opened = 0;
  while (!over.aborted) {
    for (let i = 0; i < 10 && sockets.size < count; i++) {
      const socket = open();
      opened++;
      sockets.add(socket);
      socket.on("close", () => sockets.delete(socket));
      socket.on("end", () => socket.destroy());
    }
    await pause(100);
  }
  const held = sockets.size;
  for (const socket of sockets) socket.destroy();
  return { opened, held };
}

/** Wrong passwords on 24 connections. */
const passwords: Attack = async ({ http }, over) => {
  let asked = 0;
  await Promise.all(Array.from({ length: 24 }, async (_, i) => {
    while (!over.aborted) {
      const secret = Buffer.from(`slow:${i}-${asked++}`).toString("base64");
      const socket = connect(http);
      socket.write(
        `GET / HTTP/1.1\r\nHost: auth.test\r\nAuthorization: Basic ${secret}\r\nConnection: close\r\n\r\n`,
      );
      socket.resume();
      await new Promise<void>((resolve) => socket.once("close", () => resolve()));
    }
  }));
  return { asked };
};

/** New keys without end on two connections of TLS. */
const keyUpdates: Attack = async ({ https }, over) => {
  let updates = 0;
  await Promise.all([0, 1].map(async () => {
    while (!over.aborted) {
      using client = new OpenSslClient("a.example.com");
      const socket = connect(https);
      const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
      let complete = client.handshake(new Uint8Array());
      const ready = new Promise<void>((resolve) => {
        socket.on("data", (view) => {
          if (complete) return;
          complete = client.handshake(view as Buffer);
          socket.write(client.take());
          if (complete) resolve();
        });
      });
      socket.write(client.take());
      await Promise.race([ready, closed]);
      while (complete && !over.aborted && !socket.destroyed) {
        client.updateKeys(500);
        updates += 500;
        const bytes = client.take();
        socket.write(bytes);
        await Promise.race([pause(2 * bytes.length * 1_000 / RATE), closed]);
      }
      socket.destroy();
      await pause(50);
    }
  }));
  return { updates };
};

/** Thirty large responses at once, compressed at the highest price. */
const compression: Attack = async ({ http }, over) => {
  let responses = 0;
  let received = 0;
  const began = performance.now();
  await Promise.all(Array.from({ length: 30 }, async () => {
    while (!over.aborted) {
      const socket = connect(http);
      socket.write(
        "GET /big HTTP/1.1\r\nHost: big.test\r\nAccept-Encoding: br\r\nConnection: close\r\n\r\n",
      );
      socket.on("data", (bytes) => {
        received += bytes.length;
        // All of them together take a megabyte a second.
        const ahead = received * 1_000 / RATE - (performance.now() - began);
        if (ahead <= 0) return;
        socket.pause();
        setTimeout(() => socket.resume(), Math.min(ahead, 1_000));
      });
      const stop = () => socket.destroy();
      over.addEventListener("abort", stop);
      await new Promise<void>((resolve) => socket.once("close", () => resolve()));
      over.removeEventListener("abort", stop);
      responses++;
    }
  }));
  return { responses, megabytes: Math.round(received / 1e6) };
};

/** Connections that begin no handshake, and more requests than the limit of a client allows. */
const halfOpen: Attack = async ({ https, limited }, over) => {
  const idle = kept(300, () => connect(https), over);
  let most = 0;
  const beyond = (async () => {
    const sockets = new Set<net.Socket>();
    while (!over.aborted) {
      while (sockets.size < 40) {
        const socket = connect(limited);
        sockets.add(socket);
        socket.on("end", () => socket.destroy());
        socket.on("close", () => sockets.delete(socket));
        socket.resume();
      }
      await pause(500);
      most = Math.max(most, [...sockets].filter(({ readyState }) => readyState === "open").length);
      await pause(500);
      for (const socket of sockets) socket.destroy();
      await pause(50);
    }
  })();
  await beyond;
  return { ...await idle, mostBeyondLimit: most };
};

/** Attacks by name, each with a description of one line. */
export const ATTACKS: Readonly<Record<string, { readonly what: string; readonly run: Attack }>> = {
  host: {
    what: "Host of 60 KB with 30,000 labels",
    run: repeated(() => `GET / HTTP/1.1\r\nHost: ${"a.".repeat(HEAD / 2)}test\r\n\r\n`),
  },
  connection: {
    what: "Connection of 60 KB beside 120 fields",
    run: repeated(() =>
      `GET / HTTP/1.1\r\nHost: normal.example.com\r\nConnection: ${"a,".repeat(HEAD / 2)}a\r\n` +
      `${Array.from({ length: 120 }, (_, i) => `x-${i}: 1\r\n`).join("")}\r\n`
    ),
  },
  streams: { what: "1,000 responses of 2 MB, a byte of each is taken", run: stalledStreams },
  posts: { what: "1,100 requests that never end", run: unfinishedPosts },
  passwords: { what: "24 connections with wrong passwords", run: passwords },
  keys: { what: "new TLS keys without end", run: keyUpdates },
  compression: { what: "30 responses of 30 MB by brotli", run: compression },
  handshakes: { what: "300 half-open handshakes, 40 connections where 5 may be", run: halfOpen },
};

if (import.meta.main) {
  const [name, target] = Deno.args;
  const over = new AbortController();
  Deno.addSignalListener("SIGTERM", () => over.abort());
  // What starting a program costs is not part of the attack.
  const go = new Promise<void>((resolve) => Deno.addSignalListener("SIGUSR1", () => resolve()));
  Deno.stdout.writeSync(new TextEncoder().encode("ready\n"));
  await go;
  const report = await ATTACKS[name].run(JSON.parse(target), over.signal);
  Deno.stdout.writeSync(new TextEncoder().encode(`${JSON.stringify(report)}\n`));
  Deno.exit(0);
}
