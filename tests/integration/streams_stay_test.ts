// deno-lint-ignore-file no-explicit-any
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import type { AddressInfo } from "node:net";
import {
  type ClientDuplexStream,
  credentials,
  makeGenericClientConstructor,
  Server,
  ServerCredentials,
} from "@grpc/grpc-js";
import { WebSocket, WebSocketServer } from "ws";
import { httpBackend } from "../support/backends.ts";
import { backend, documents, Edge, gateway } from "../support/edge.ts";
import { freePort } from "../support/programs.ts";

const CHANGES = 1_000;

/** Something that echoes over a stream that must not end. */
interface Stream {
  readonly name: string;
  echo(text: string): Promise<string>;
  close(): void;
}

const same = (value: Buffer) => value;
const SERVICE = {
  bidi: {
    path: "/echo.Echo/Bidi",
    requestStream: true,
    responseStream: true,
    requestSerialize: same,
    requestDeserialize: same,
    responseSerialize: same,
    responseDeserialize: same,
  },
};

function grpcStream(port: number): Stream {
  const Client = makeGenericClientConstructor(SERVICE, "echo.Echo");
  const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure());
  const call: ClientDuplexStream<Buffer, Buffer> = client.bidi();
  let failed: Error | null = null;
  call.on("error", (error: Error) => failed = error);
  return {
    name: "gRPC",
    echo: (text) =>
      new Promise((resolve, reject) => {
        if (failed !== null) reject(failed);
        call.once("data", (message: Buffer) => resolve(String(message)));
        call.once("end", () => reject(new Error("ended")));
        call.write(Buffer.from(text));
      }).finally(() => call.removeAllListeners("end")) as Promise<string>,
    close: () => {
      call.end();
      client.close();
    },
  };
}

async function webSocket(port: number): Promise<Stream> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/ws`);
  await new Promise((resolve) => socket.once("open", resolve));
  return {
    name: "WebSocket",
    echo: (text) =>
      new Promise((resolve, reject) => {
        socket.once("message", (data: Buffer) => resolve(String(data)));
        socket.once("close", () => reject(new Error("closed")));
        socket.send(text);
      }).finally(() => socket.removeAllListeners("close")) as Promise<string>,
    close: () => socket.terminate(),
  };
}

/** Server-sent events: an event is emitted by another request. */
async function eventStream(port: number, emit: (text: string) => void): Promise<Stream> {
  const abort = new AbortController();
  const answer = await fetch(`http://127.0.0.1:${port}/events`, { signal: abort.signal });
  const events = answer.body!.pipeThrough(new TextDecoderStream()).getReader();
  return {
    name: "SSE",
    echo: async (text) => {
      emit(text);
      const { value, done } = await events.read();
      if (done) throw new Error("ended");
      return value.replace(/^data: /, "").trim();
    },
    close: () => abort.abort(),
  };
}

Deno.test(`SSE, WebSocket and gRPC streams stay through ${CHANGES} changes that do not concern them`, async () => {
  const grpc = new Server();
  grpc.addService(SERVICE, {
    bidi: (call: any) => void call.on("data", (m: Buffer) => call.write(m)),
  });
  const grpcPort = await new Promise<number>((resolve) =>
    grpc.bindAsync(
      "127.0.0.1:0",
      ServerCredentials.createInsecure(),
      (_error, port) => resolve(port),
    )
  );
  const sockets = new WebSocketServer({ host: "127.0.0.1", port: 0 });
  await new Promise((resolve) => sockets.once("listening", resolve));
  sockets.on(
    "connection",
    (socket: any) =>
      socket.on("message", (data: Buffer, binary: boolean) => socket.send(data, { binary })),
  );
  let emit: (text: string) => void = () => {};
  await using events = httpBackend(() => {
    const body = new ReadableStream<Uint8Array>({
      start(controller) {
        emit = (text) => controller.enqueue(new TextEncoder().encode(`data: ${text}\n\n`));
      },
    });
    return new Response(body, { headers: { "content-type": "text/event-stream" } });
  });
  const port = freePort();
  const rule = (path: string, name: string) =>
    `\n    - { matches: [{ path: { type: PathPrefix, value: ${path} } }], backendRefs: [{ name: ${name} }] }`;
  await using edge = await Edge.start({
    "all.yaml": documents(
      gateway("edge", port),
      `apiVersion: novaedge.io/v1alpha1
kind: ProxyRoute
metadata: { name: all }
spec:
  rules:${rule("/echo.Echo", "grpc")}${rule("/ws", "ws")}${rule("/events", "events")}
`,
      backend("grpc", grpcPort).trimEnd() + "\n  protocol: gRPC\n",
      backend("ws", (sockets.address() as AddressInfo).port),
      backend("events", events.port),
    ),
  });
  const streams = [
    grpcStream(port),
    await webSocket(port),
    await eventStream(port, (text) => emit(text)),
  ];
  const allEcho = async (text: string) => {
    for (const stream of streams) assert.equal(await stream.echo(text), text, stream.name);
  };
  await allEcho("before");
  const connects = await edge.metric("novaedge_upstream_connects_total");
  for (let i = 0; i < CHANGES; i++) {
    const change = documents(backend(`other-${i % 10}`, 1 + i), backend(`more-${i % 10}`, 2 + i));
    if (i % 10 === 9) {
      await edge.change(`other-${i % 10}.yaml`, change);
      await allEcho(`change ${i}`);
    } else await edge.write(`other-${i % 10}.yaml`, change);
  }
  await allEcho("after");
  assert.equal(await edge.metric("novaedge_upstream_connects_total"), connects);
  for (const stream of streams) stream.close();
  grpc.forceShutdown();
  for (const socket of sockets.clients) socket.terminate();
  await new Promise<void>((resolve) => sockets.close(() => resolve()));
});
