import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import {
  type ClientDuplexStream,
  type ClientOptions,
  credentials,
  makeGenericClientConstructor,
  Metadata,
  type MethodDefinition,
  Server,
  ServerCredentials,
  type ServiceClientConstructor,
  status,
  type StatusObject,
  type UntypedServiceImplementation,
} from "@grpc/grpc-js";
import { Authority, secret } from "../support/authority.ts";
import { backend, documents, Edge } from "../support/edge.ts";
import { freePort } from "../support/programs.ts";

function method(name: string, requestStream: boolean, responseStream: boolean) {
  const same = (value: Buffer) => value;
  return {
    path: `/echo.Echo/${name}`,
    requestStream,
    responseStream,
    requestSerialize: same,
    requestDeserialize: same,
    responseSerialize: same,
    responseDeserialize: same,
  } satisfies MethodDefinition<Buffer, Buffer>;
}

const SERVICE = {
  unary: method("Unary", false, false),
  serverStream: method("ServerStream", false, true),
  clientStream: method("ClientStream", true, false),
  bidi: method("Bidi", true, true),
  never: method("Never", false, false),
  fail: method("Fail", false, false),
};

/** A gRPC server of every kind of call. */
async function grpcBackend(): Promise<{ port: number; cancelled: Promise<void>; stop(): void }> {
  const server = new Server();
  let onCancelled = () => {};
  const cancelled = new Promise<void>((resolve) => onCancelled = resolve);
  // deno-lint-ignore no-explicit-any
  type Any = any;
  const handlers = {
    unary: (call: Any, done: Any) => {
      const trailers = new Metadata();
      trailers.set("x-trailer", "unary");
      done(null, call.request, trailers);
    },
    serverStream: (call: Any) => {
      for (let i = 0; i < 100; i++) call.write(Buffer.from(`message ${i}`));
      call.end();
    },
    clientStream: (call: Any, done: Any) => {
      let bytes = 0;
      call.on("data", (message: Buffer) => bytes += message.length);
      call.on("end", () => done(null, Buffer.from(String(bytes))));
    },
    bidi: (call: Any) => {
      call.on("data", (message: Buffer) => call.write(message));
      call.on("end", () => call.end());
    },
    never: (call: Any) => void call.on("cancelled", onCancelled),
    fail: (_call: Any, done: Any) => done({ code: status.NOT_FOUND, details: "not here: 100%" }),
  };
  server.addService(SERVICE, handlers as unknown as UntypedServiceImplementation);
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync(
      "127.0.0.1:0",
      ServerCredentials.createInsecure(),
      (error, bound) => error === null ? resolve(bound) : reject(error),
    )
  );
  return { port, cancelled, stop: () => server.forceShutdown() };
}

const Client: ServiceClientConstructor = makeGenericClientConstructor(SERVICE, "echo.Echo");

/** Ends with the status of a call, whatever it is. */
// deno-lint-ignore no-explicit-any
function ended(call: { on(event: any, listener: (value: any) => void): unknown }) {
  return new Promise<StatusObject>((resolve) => {
    call.on("error", () => {});
    call.on("status", (value: StatusObject) => resolve(value));
  });
}

function grpcFiles(plain: number, secure: number, target: number): string {
  return documents(
    `apiVersion: novaedge.io/v1alpha1
kind: ProxyGateway
metadata: { name: edge }
spec:
  listeners:
    - { name: plain, port: ${plain}, protocol: HTTP, address: 127.0.0.1 }
    - { name: secure, port: ${secure}, protocol: HTTPS, address: 127.0.0.1, tls: { secretRef: { name: server } } }
`,
    `apiVersion: novaedge.io/v1alpha1
kind: ProxyRoute
metadata: { name: all }
spec:
  rules:
    - matches: [{ path: { type: PathPrefix, value: /echo.Echo } }]
      backendRefs: [{ name: grpc }]
    - matches: [{ path: { type: PathPrefix, value: /gone.Gone } }]
      backendRefs: [{ name: nowhere }]
    - matches: [{ path: { type: PathPrefix, value: /down.Down } }]
      backendRefs: [{ name: down }]
    - matches: [{ path: { type: PathPrefix, value: /slow.Slow } }]
      timeout: 300ms
      backendRefs: [{ name: grpc }]
`,
    backend("grpc", target).trimEnd() + "\n  protocol: gRPC\n",
    backend("down", freePort()).trimEnd() + "\n  protocol: gRPC\n",
  );
}

Deno.test("gRPC: every kind of call, trailers, errors of both sides and deadlines", async (t) => {
  const server = await grpcBackend();
  const authority = await Authority.create();
  const [plain, secure] = [freePort(), freePort()];
  await using _edge = await Edge.start({
    "all.yaml": grpcFiles(plain, secure, server.port),
    "secret.yaml": secret(
      "server",
      await authority.issue({ name: "localhost", dns: ["localhost"], ips: ["127.0.0.1"] }),
    ),
  });
  const options: ClientOptions = { "grpc.ssl_target_name_override": "localhost" };
  const clients = [
    ["plain", new Client(`127.0.0.1:${plain}`, credentials.createInsecure(), options)],
    [
      "TLS",
      new Client(
        `127.0.0.1:${secure}`,
        credentials.createSsl(Buffer.from(authority.certificate)),
        options,
      ),
    ],
  ] as const;
  for (const [name, client] of clients) {
    const unary = (path: string, message = "x", deadline?: number) => {
      const same = (value: Buffer) => value;
      let reply = "";
      const call = client.makeUnaryRequest(
        path,
        same,
        same,
        Buffer.from(message),
        new Metadata(),
        deadline === undefined ? {} : { deadline: Date.now() + deadline },
        (_error: unknown, value?: Buffer) => reply = String(value ?? ""),
      );
      return ended(call).then((end) => ({ ...end, reply }));
    };
    await t.step(`${name}: unary, with trailers`, async () => {
      const { code, metadata, reply } = await unary("/echo.Echo/Unary", "hello");
      assert.deepEqual([code, reply, metadata.get("x-trailer")], [0, "hello", ["unary"]]);
    });
    await t.step(`${name}: server, client and bidirectional streams`, async () => {
      let messages = 0;
      const many = client.serverStream(Buffer.from("x"));
      many.on("data", () => messages++);
      assert.equal((await ended(many)).code, 0);
      assert.equal(messages, 100);
      const sum = await new Promise<string>((resolve, reject) => {
        const call = client.clientStream((error: Error | null, value: Buffer) =>
          error === null ? resolve(String(value)) : reject(error)
        );
        for (let i = 0; i < 50; i++) call.write(Buffer.alloc(20_000));
        call.end();
      });
      assert.equal(sum, "1000000");
      const both: ClientDuplexStream<Buffer, Buffer> = client.bidi();
      let echoed = 0;
      both.on("data", (message: Buffer) => ++echoed < 200 ? both.write(message) : both.end());
      both.write(Buffer.from("ping"));
      assert.equal((await ended(both)).code, 0);
      assert.equal(echoed, 200);
    });
    await t.step(`${name}: the server's own error arrives as it is`, async () => {
      const { code, details } = await unary("/echo.Echo/Fail");
      assert.deepEqual([code, details], [status.NOT_FOUND, "not here: 100%"]);
    });
    await t.step(`${name}: the gateway's errors have gRPC's form`, async () => {
      const expected = [
        ["/none.None/X", status.UNIMPLEMENTED, "no_route"],
        ["/gone.Gone/X", status.UNAVAILABLE, "backend_missing"],
        ["/down.Down/X", status.UNAVAILABLE, "connect_failed"],
      ] as const;
      for (const [path, wanted, why] of expected) {
        const { code, details } = await unary(path);
        assert.deepEqual([code, details], [wanted, why], path);
      }
    });
    await t.step(`${name}: a deadline ends the call here and at the backend`, async () => {
      const { code } = await unary("/echo.Echo/Never", "x", 300);
      assert.equal(code, status.DEADLINE_EXCEEDED);
      await server.cancelled;
    });
    client.close();
  }
  server.stop();
});
