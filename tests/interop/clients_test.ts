import assert from "node:assert/strict";
import { WebSocketServer } from "ws";
import type { AddressInfo } from "node:net";
import { backendWith, rule, Scene } from "./scene.ts";
import { interop, run } from "./tools.ts";

const REFUSED = "{ matches: [{ path: { type: PathPrefix, value: /refused } }], " +
  "filters: [{ type: DirectResponse, directResponse: { statusCode: 413 } }] }";

await interop(
  "curl: HTTP/1.1 and HTTP/2, plain and TLS, uploads and downloads",
  ["curl"],
  async ({ curl }) => {
    const body = "0123456789abcdef".repeat(65_536);
    const server = Deno.serve(
      { port: 0, hostname: "127.0.0.1", onListen() {} },
      async (request) =>
        request.method === "PUT" ? new Response(await request.text()) : new Response(body),
    );
    await using scene = await Scene.start(
      [rule("/data", "data"), REFUSED],
      [backendWith("data", server.addr.port, "protocol: HTTP")],
    );
    const upload = scene.file("upload");
    await Deno.writeTextFile(upload, body);
    const plain = `http://127.0.0.1:${scene.plain}`;
    const secure = `https://localhost:${scene.secure}`;
    const versions = [
      ["--http1.1", plain, "1.1"],
      ["--http1.0", plain, "1.1"],
      ["--http2-prior-knowledge", plain, "2"],
      ["--http1.1", secure, "1.1"],
      ["--http2", secure, "2"],
    ];
    for (const [flag, base, version] of versions) {
      const options = ["-sS", "--cacert", scene.file("ca.pem"), flag];
      const got = await run(curl, [
        ...options,
        "-w",
        "%{http_code} %{http_version}",
        "-o",
        scene.file("got"),
        `${base}/data`,
      ]);
      assert.equal(got.stdout, `200 ${version}`, `${flag} ${base}: ${got.stderr}`);
      assert.equal(await Deno.readTextFile(scene.file("got")), body);
      const put = await run(curl, [
        ...options,
        "-T",
        upload,
        "-o",
        scene.file("got"),
        "-w",
        "%{http_code}",
        `${base}/data`,
      ]);
      assert.equal(put.stdout, "200", `${flag} ${base}: ${put.stderr}`);
      assert.equal(await Deno.readTextFile(scene.file("got")), body);
      // The response comes before the content.
      for (let i = 0; i < 5; i++) {
        const early = await run(curl, [
          ...options,
          "-T",
          upload,
          "-o",
          scene.file("got"),
          "-w",
          "%{http_code}",
          `${base}/refused`,
        ]);
        assert.equal(early.stdout, "413", `${flag} ${base}: ${early.stderr}`);
        assert.equal(early.stderr, "");
      }
    }
    await server.shutdown();
  },
);

await interop("nghttp and h2load", ["nghttp", "h2load"], async ({ nghttp, h2load }) => {
  await using scene = await Scene.start();
  for (const base of [`http://127.0.0.1:${scene.plain}`, `https://127.0.0.1:${scene.secure}`]) {
    const one = await run(nghttp, ["-v", "--no-verify-peer", `${base}/`]);
    assert.match(one.stdout, /:status: 200/, one.stdout + one.stderr);
    assert.match(one.stdout, /hello from the backend/);
    const many = await run(h2load, ["-n", "2000", "-c", "10", "-m", "20", `${base}/`]);
    assert.match(many.stdout, /2000 succeeded, 0 failed, 0 errored, 0 timeout/);
  }
});

await interop(
  "grpcurl talks to a gRPC server behind the edge",
  ["grpcurl"],
  async ({ grpcurl }) => {
    const { Server, ServerCredentials } = await import("@grpc/grpc-js");
    const server = new Server();
    const same = (value: Uint8Array) => value;
    // Field 1 of both messages is a string, so that echoing the bytes is an answer.
    const unary = {
      path: "/echo.Echo/Unary",
      requestStream: false,
      responseStream: false,
      requestSerialize: same,
      requestDeserialize: same,
      responseSerialize: same,
      responseDeserialize: same,
      // deno-lint-ignore no-explicit-any
    } as any;
    server.addService({ unary }, {
      // deno-lint-ignore no-explicit-any
      unary: (call: any, done: any) => done(null, call.request),
    });
    const port = await new Promise<number>((resolve) =>
      server.bindAsync(
        "127.0.0.1:0",
        ServerCredentials.createInsecure(),
        (_error, bound) => resolve(bound),
      )
    );
    await using scene = await Scene.start(
      [rule("/echo.Echo", "grpc")],
      [backendWith("grpc", port, "protocol: gRPC")],
    );
    await Deno.writeTextFile(
      scene.file("echo.proto"),
      'syntax = "proto3"; package echo; service Echo { rpc Unary(Text) returns (Text); } message Text { string text = 1; }\n',
    );
    const call = (...more: string[]) =>
      run(grpcurl, [
        "-import-path",
        scene.folder,
        "-proto",
        "echo.proto",
        "-d",
        '{"text":"hi"}',
        ...more,
        "echo.Echo/Unary",
      ]);
    const plain = await call("-plaintext", `127.0.0.1:${scene.plain}`);
    assert.match(plain.stdout, /"text": "hi"/, plain.stderr);
    const secure = await call("-cacert", scene.file("ca.pem"), `localhost:${scene.secure}`);
    assert.match(secure.stdout, /"text": "hi"/, secure.stderr);
    server.forceShutdown();
  },
);

await interop(
  "websockets (Python) over plain HTTP and TLS",
  ["python:websockets"],
  async (paths) => {
    const server = new WebSocketServer({ host: "127.0.0.1", port: 0 });
    await new Promise((resolve) => server.once("listening", resolve));
    // deno-lint-ignore no-explicit-any
    server.on("connection", (socket: any) => {
      socket.on("message", (data: Uint8Array, binary: boolean) => socket.send(data, { binary }));
    });
    await using scene = await Scene.start(
      [rule("/ws", "ws")],
      [backendWith("ws", (server.address() as AddressInfo).port, "protocol: HTTP")],
    );
    const script = `
import asyncio, ssl, sys, websockets
async def talk(uri, context):
    async with websockets.connect(uri, ssl=context, max_size=None) as socket:
        for message in ["text", b"\\x00\\x01" * 500000]:
            await socket.send(message)
            assert await socket.recv() == message
context = ssl.create_default_context(cafile=sys.argv[3])
asyncio.run(talk(sys.argv[1], None))
asyncio.run(talk(sys.argv[2], context))
print("ok")
`;
    const { stdout, stderr } = await run(paths["python:websockets"], [
      ...["-c", script, `ws://127.0.0.1:${scene.plain}/ws`],
      ...[`wss://localhost:${scene.secure}/ws`, scene.file("ca.pem")],
    ]);
    assert.equal(stdout.trim(), "ok", stderr);
    await new Promise<void>((resolve) => server.close(() => resolve()));
  },
);
