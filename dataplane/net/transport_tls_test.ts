/** What every implementation of the transport does about TLS, by real sockets. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { once } from "node:events";
import net from "node:net";
import tls from "node:tls";
import { Authority, type Pair, weakPair } from "../../tests/support/authority.ts";
import { CollectedFaults } from "../../tests/support/faults.ts";
import { forEachTransport, type Scene } from "../../tests/support/transports.ts";
import { OpenSslClient } from "../../tests/support/openssl_client.ts";
import { nativeProblem } from "./native/native_problem.ts";
import type { ClientTls, TlsChoice, TlsServerOptions } from "./transport.ts";

const authority = await Authority.create();
const strangers = await Authority.create("strangers");
const site = await authority.issue({ name: "site", dns: ["a.example.com"], ips: ["127.0.0.1"] });
const client = await authority.issue({ name: "client", uris: ["spiffe://client"] });

const identityOf = ({ certificate, key }: Pair) => ({
  cert: Buffer.from(certificate),
  key: Buffer.from(key),
  ocspResponse: null,
});
const bytes = (text: string) => Buffer.from(text, "latin1");

/** The reasons of handshakes that failed. */
const reasons: string[] = [];

function serverTls(
  {
    listener = "l",
    minVersion = "TLSv1.2",
    requestsCertificate = false,
    requiresCertificate = false,
  }: Partial<TlsChoice> = {},
  handshakeTimeout = 5_000,
): TlsServerOptions {
  const identities = [identityOf(site)] as const;
  reasons.length = 0;
  return {
    alpn: ["h2", "http/1.1"],
    choose: (name) =>
      name === "nobody.example.com" ? null : {
        listener,
        identities,
        minVersion,
        requestsCertificate,
        requiresCertificate,
        cipherSuites: [],
        curves: [],
      },
    handshakeTimeout,
    onHandshakeError: (reason) => reasons.push(reason),
  };
}

function clientTls(changes: Partial<ClientTls> = {}): ClientTls {
  return {
    serverName: "a.example.com",
    ca: Buffer.from(authority.certificate),
    identity: null,
    sans: [],
    insecure: false,
    ...changes,
  };
}

/** Both ends of a new TLS connection. */
async function securePair(scene: Scene, settings = clientTls(), alpn: string[] = ["h2"]) {
  const made = scene.connect(scene.listener.port, null, "127.0.0.1", settings, alpn);
  await Promise.race([
    made.connected,
    made.notes.closed().then(() => Promise.reject(made.notes.error)),
  ]);
  const [server, serverNotes] = await scene.accepted();
  return { client: made.connection, clientNotes: made.notes, server, serverNotes };
}

async function refusal(scene: Scene, settings: ClientTls): Promise<string> {
  const { notes } = scene.connect(scene.listener.port, null, "127.0.0.1", settings, ["h2"]);
  await notes.closed();
  return `${(notes.error as { code?: string }).code}: ${notes.error!.message}`;
}

forEachTransport((check, name) => {
  check("TLS carries bytes both ways, with facts about the handshake", async (scene) => {
    await scene.listen({ tls: serverTls({ listener: "edge" }) });
    const { client, clientNotes, server, serverNotes } = await securePair(scene);
    const { peerChain, ...facts } = server.tls!;
    assert.deepEqual(facts, {
      serverName: "a.example.com",
      alpn: "h2",
      protocol: "TLSv1.3",
      listener: "edge",
      resumed: false,
    });
    assert.equal(peerChain.length, 0);
    assert.equal(client.tls!.alpn, "h2");
    assert.equal(client.tls!.protocol, "TLSv1.3");
    client.write(bytes("question"));
    await serverNotes.until(() => serverNotes.length === 8);
    server.writeBoth(bytes("ans"), bytes("wer"));
    await clientNotes.until(() => clientNotes.length === 6);
    assert.deepEqual([serverNotes.text, clientNotes.text], ["question", "answer"]);
  });

  check("megabytes pass TLS with a reader that stops now and then", async (scene) => {
    await scene.listen({ tls: serverTls() });
    const { client, server, serverNotes } = await securePair(scene);
    const size = 24 * 1024 * 1024;
    let sum = 0;
    serverNotes.onBytes = (view) => {
      serverNotes.chunks.length = 0;
      for (const byte of view) sum = (sum + byte) % 1_000_003;
      if (serverNotes.length % 7 === 0) {
        server.pause();
        setTimeout(() => server.resume(), 1);
      }
    };
    let sent = 0;
    let expected = 0;
    for (let i = 0; sent < size; i++) {
      const piece = Buffer.alloc(1 + (i * 7919) % 50_000, i & 0xff);
      sent += piece.length;
      expected = (expected + (i & 0xff) * piece.length) % 1_000_003;
      if (!client.write(piece)) {
        const notes = client.events as unknown as { drains: number } & typeof serverNotes;
        const drains = notes.drains;
        await notes.until(() => notes.drains > drains);
      }
    }
    client.end();
    await serverNotes.ended();
    assert.equal(serverNotes.length, sent);
    assert.equal(sum, expected);
  });

  check(
    "an exception in a handshake, or over data after it, closes that connection",
    async (scene) => {
      using faults = new CollectedFaults();
      let choices = 0;
      const tls = serverTls();
      await scene.listen({
        tls: {
          ...tls,
          choose(name) {
            if (choices++ === 0) throw new Error("no choice");
            return tls.choose(name);
          },
        },
      });
      const refused = scene.connect(scene.listener.port, null, "127.0.0.1", clientTls(), ["h2"]);
      await refused.notes.closed();
      const broken = await securePair(scene);
      broken.serverNotes.onBytes = () => {
        throw new Error("broken");
      };
      broken.client.write(bytes("question"));
      await broken.clientNotes.closed();
      const whole = await securePair(scene);
      whole.client.write(bytes("question"));
      await whole.serverNotes.until(() => whole.serverNotes.text === "question");
      assert.deepEqual(faults.messages, ["no choice", "broken"]);
    },
  );

  check("bug: a client that announces new keys without end held its worker", async (scene) => {
    if (nativeProblem() !== "") return;
    await scene.listen({ tls: serverTls() });
    using attacker = new OpenSslClient("a.example.com");
    const socket = net.connect({ host: "127.0.0.1", port: scene.listener.port });
    let complete = attacker.handshake(new Uint8Array());
    const ready = Promise.withResolvers<void>();
    socket.on("data", (view) => {
      if (complete) return;
      complete = attacker.handshake(view as Buffer);
      socket.write(attacker.take());
      if (complete) ready.resolve();
    });
    socket.on("error", () => {});
    socket.write(attacker.take());
    await ready.promise;
    const [, attacked] = await scene.accepted();
    attacker.write("hello");
    attacker.updateKeys(20_000);
    socket.write(attacker.take());
    const whole = await securePair(scene);
    whole.client.write(bytes("question"));
    await whole.serverNotes.until(() => whole.serverNotes.text === "question");
    await attacked.closed();
    assert.match(attacked.error!.message, /without content|[Kk]ey ?[Uu]pdate|TooMany/);
    socket.destroy();
  });

  check("bug: an answer behind two tickets of one record was not read", async (scene) => {
    const server = tls.createServer({ cert: site.certificate, key: site.key });
    server.on("secureConnection", (socket) => socket.on("data", () => socket.end("answer")));
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as net.AddressInfo;
    for (let i = 0; i < 20; i++) {
      const made = scene.connect(port, null, "127.0.0.1", clientTls(), []);
      const { connection, notes } = made;
      await made.connected;
      connection.write(bytes("question"));
      await notes.until(() => notes.length > 0 || notes.happened.length > 0);
      assert.equal(notes.text, "answer");
      connection.close();
      await notes.closed();
    }
    server.close();
    await once(server, "close");
  });

  check("keys may change now and then, beside content", async (scene) => {
    if (nativeProblem() !== "") return;
    await scene.listen({ tls: serverTls() });
    using client = new OpenSslClient("a.example.com");
    const socket = net.connect({ host: "127.0.0.1", port: scene.listener.port });
    let complete = client.handshake(new Uint8Array());
    const ready = Promise.withResolvers<void>();
    socket.on("data", (view) => {
      if (complete) return;
      complete = client.handshake(view as Buffer);
      socket.write(client.take());
      if (complete) ready.resolve();
    });
    socket.write(client.take());
    await ready.promise;
    const [, notes] = await scene.accepted();
    for (let i = 0; i < 500; i++) {
      client.updateKeys(1);
      client.write(`${i};`.padEnd(100));
    }
    socket.write(client.take());
    await notes.until(() => notes.length === 50_000);
    assert.match(notes.text, /^0; .* 499; *$/);
    socket.destroy();
  });

  check("one side of TLS may end while the other goes on", async (scene) => {
    await scene.listen({ tls: serverTls() });
    const { client, clientNotes, server, serverNotes } = await securePair(scene);
    client.write(bytes("question"));
    client.end();
    await serverNotes.ended();
    server.write(bytes("answer"));
    server.end();
    await clientNotes.ended();
    assert.equal(clientNotes.text, "answer");
    await Promise.all([clientNotes.closed(), serverNotes.closed()]);
    assert.deepEqual([clientNotes.error, serverNotes.error], [null, null]);
  });

  check("a write that fails loses nothing of what the peer sent before, by TLS", async (scene) => {
    const listener = Deno.listenTls({
      hostname: "127.0.0.1",
      port: 0,
      cert: site.certificate,
      key: site.key,
    });
    const { port } = listener.addr as Deno.NetAddr;
    const made = scene.connect(port, null, "127.0.0.1", clientTls(), []);
    const accepting = listener.accept();
    const peer = await accepting;
    await Promise.all([peer.handshake(), made.connected]);
    listener.close();
    made.connection.write(bytes("request"));
    await peer.read(new Uint8Array(7));
    made.connection.pause();
    made.connection.write(Buffer.alloc(64 * 1024));
    await peer.write(bytes("response"));
    peer.close();
    for (let i = 0; i < 50; i++) {
      made.connection.write(Buffer.alloc(64 * 1024));
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    made.connection.resume();
    await made.notes.closed();
    assert.equal(made.notes.text, "response");
    assert.notEqual(made.notes.error, null);
  });

  check("a TLS stream that is cut is an error, not an end", async (scene) => {
    await scene.listen({ tls: serverTls() });
    const raw = net.connect({ host: "127.0.0.1", port: scene.listener.port });
    const socket = tls.connect({
      socket: raw,
      servername: "a.example.com",
      ca: authority.certificate,
    });
    await once(socket, "secureConnect");
    const [, notes] = await scene.accepted();
    socket.write("half a mess");
    await notes.until(() => notes.length > 0);
    raw.end();
    await notes.closed();
    assert.notEqual(notes.error, null);
    assert.deepEqual(notes.happened, ["close"]);
    socket.destroy();
  });

  check("a version below the least one, and no version of ours, is refused", async (scene) => {
    await scene.listen({ tls: serverTls({ minVersion: "TLSv1.3" }) });
    const socket = tls.connect({
      host: "127.0.0.1",
      port: scene.listener.port,
      servername: "a.example.com",
      ca: authority.certificate,
      maxVersion: "TLSv1.2",
    });
    await once(socket, "error");
    assert.equal(reasons.length, 1);
    assert.match(reasons[0], /unsupported protocol|incompatible/);
    socket.destroy();
  });

  check("a name that nobody serves is told so", async (scene) => {
    await scene.listen({ tls: serverTls() });
    const text = await refusal(scene, clientTls({ serverName: "nobody.example.com" }));
    assert.match(text, /^TLS: .*unrecogni[sz]ed.?name/i);
    assert.deepEqual(reasons, ["unknown_server_name"]);
  });

  check(
    "what is not TLS, a handshake that stalls, and one that is left, are over",
    async (scene) => {
      await scene.listen({ tls: serverTls({}, 200) });
      const plain = scene.connect(scene.listener.port);
      plain.connection.write(bytes("GET / HTTP/1.1\r\n\r\n"));
      await plain.notes.until(() => plain.notes.happened.length > 0);
      const silent = scene.connect(scene.listener.port);
      await silent.notes.until(() => silent.notes.happened.length > 0);
      const leaving = scene.connect(scene.listener.port);
      await leaving.connected;
      leaving.connection.write(Buffer.from([22, 3, 1]));
      leaving.connection.end();
      await leaving.notes.until(() => leaving.notes.happened.length > 0);
      assert.deepEqual(reasons, ["no_client_hello", "timeout", "closed"]);
    },
  );

  check("a ClientHello in single bytes is understood", async (scene) => {
    await scene.listen({ tls: serverTls() });
    // Gives what a client writes to the server byte by byte.
    const relay = net.createServer((socket) => {
      const onwards = net.connect({
        host: "127.0.0.1",
        port: scene.listener.port,
        noDelay: true,
      });
      onwards.pipe(socket);
      socket.on("error", () => {});
      onwards.on("error", () => {});
      socket.on("data", async (chunk: Buffer) => {
        socket.pause();
        for (const byte of chunk) {
          await new Promise((done) => onwards.write(Uint8Array.of(byte), done));
        }
        socket.resume();
      });
      socket.on("close", () => onwards.destroy());
    });
    relay.listen(0, "127.0.0.1");
    await once(relay, "listening");
    const { port } = relay.address() as net.AddressInfo;
    const { connection, connected } = scene.connect(
      port,
      null,
      "127.0.0.1",
      clientTls(),
      ["http/1.1"],
    );
    await connected;
    const [server] = await scene.accepted();
    assert.equal(server.tls!.alpn, "http/1.1");
    connection.close();
    server.close();
    await new Promise((done) => relay.close(done));
  });

  check("certificates of clients are shown as they came, with no judgement", async (scene) => {
    await scene.listen({ tls: serverTls({ requestsCertificate: true }) });
    const foreign = await strangers.issue({ name: "stranger" });
    for (const pair of [client, foreign, null]) {
      const identity = pair === null ? null : identityOf(pair);
      const { server, client: own } = await securePair(scene, clientTls({ identity }));
      const chain = server.tls!.peerChain;
      if (pair === null) assert.equal(chain.length, 0);
      else {
        const der = Buffer.from(pair.certificate.replace(/-----[^-]+-----|\s/g, ""), "base64");
        assert.deepEqual(chain.map((one) => Buffer.from(one)), [der]);
      }
      own.close();
      server.close();
    }
  });

  check("a client that must show a certificate and has none learns why", async (scene) => {
    const wanted = { requestsCertificate: true, requiresCertificate: true };
    await scene.listen({ tls: serverTls(wanted) });
    const { port } = scene.listener;
    const socket = tls.connect({ port, host: "127.0.0.1", rejectUnauthorized: false });
    if (name === "native") {
      const [error] = await once(socket, "error");
      assert.match(String(error), /certificate.?required/i);
      assert.match(reasons.join(), /peer did not return a certificate/);
    } else {
      // The runtime asks and takes what comes: the engine closes the connection, and logs why.
      const [, notes] = await scene.accepted();
      assert.deepEqual(notes.happened, []);
    }
    socket.destroy();
  });

  check("backends are who they must be", async (scene) => {
    await scene.listen({ tls: serverTls() });
    const foreign = Buffer.from(strangers.certificate);
    const { client: named } = await securePair(scene, clientTls({ serverName: "127.0.0.1" }));
    named.close();
    assert.match(await refusal(scene, clientTls({ ca: foreign })), /^TLS: /);
    assert.match(await refusal(scene, clientTls({ ca: null })), /^TLS: /);
    assert.match(await refusal(scene, clientTls({ serverName: "b.example.com" })), /^TLS: /);
    assert.match(await refusal(scene, clientTls({ serverName: "127.0.0.2" })), /^TLS: /);
    const others = clientTls({ serverName: "b.example.com", sans: ["c.example.com"] });
    assert.match(await refusal(scene, others), /^TLS: .*none of the names/);
    const sans = ["c.example.com", "A.example.com"];
    const { client } = await securePair(scene, clientTls({ serverName: "b.example.com", sans }));
    client.close();
    const insecure = clientTls({ ca: foreign, serverName: "b.example.com", insecure: true });
    (await securePair(scene, insecure)).client.close();
  });

  check("a backend that does not speak TLS, or no more, fails the handshake", async (scene) => {
    for (const say of ["HTTP/1.1 400 Bad Request\r\n\r\n", ""]) {
      const server = net.createServer((socket) => {
        socket.on("error", () => {});
        socket.resume();
        socket.end(say);
      });
      server.listen(0, "127.0.0.1");
      await once(server, "listening");
      const { port } = server.address() as net.AddressInfo;
      const { notes } = scene.connect(port, null, "127.0.0.1", clientTls(), ["h2"]);
      await notes.closed();
      assert.equal((notes.error as { code?: string }).code, "TLS");
      await new Promise((done) => server.close(done));
    }
  });

  check("what precedes everything precedes the handshake too", async (scene) => {
    await scene.listen({
      tls: serverTls(),
      proxyHeader: () => ({
        trusts: () => true,
        version: 1,
        timeout: 5_000,
        onBadHeader: (reason) => reasons.push(reason),
      }),
    });
    const preamble = bytes("PROXY TCP4 192.0.2.7 192.0.2.8 4321 80\r\n");
    const { connection, connected } = scene.connect(
      scene.listener.port,
      preamble,
      "127.0.0.1",
      clientTls(),
      ["h2"],
    );
    await connected;
    const [server, notes] = await scene.accepted();
    assert.deepEqual([server.remoteAddress, server.remotePort], ["192.0.2.7", 4321]);
    connection.write(bytes("x"));
    await notes.until(() => notes.length === 1);
  });

  check("a connection that is closed within its handshake tells so once", async (scene) => {
    await scene.listen({ tls: serverTls() });
    const { connection, notes } = scene.connect(
      scene.listener.port,
      null,
      "127.0.0.1",
      clientTls(),
      ["h2"],
    );
    connection.close();
    connection.close();
    await notes.closed();
    assert.deepEqual(notes.happened, ["close"]);
  });

  check("a certificate that cannot be used is told from one that can", async (scene) => {
    const { transport } = scene;
    assert.equal(transport.identityProblem(identityOf(site)), "");
    const mixed = { ...identityOf(site), key: identityOf(client).key };
    const nothing = { cert: Buffer.from(""), key: Buffer.from(""), ocspResponse: null };
    if (name !== "native") return;
    assert.match(transport.identityProblem({ ...mixed, key: bytes("no key") }), /private key/);
    assert.match(transport.identityProblem(nothing), /no certificate/);
    assert.match(transport.identityProblem(mixed), /key values mismatch/);
    assert.match(transport.identityProblem(identityOf(await weakPair())), /too small/);
  });
});
