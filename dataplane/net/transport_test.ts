/** What every implementation of the transport does, by real sockets. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import net from "node:net";
import { setImmediate } from "node:timers";
import { CollectedFaults } from "../../tests/support/faults.ts";
import { forEachTransport, Notes } from "../../tests/support/transports.ts";
import { UpstreamGuard } from "./upstream_guard.ts";

const bytes = (text: string) => Buffer.from(text, "latin1");

forEachTransport((check) => {
  check("bytes go both ways, in order, and both ends know both addresses", async (scene) => {
    await scene.listen();
    const { client, clientNotes, server, serverNotes } = await scene.pair();
    assert.equal(client.write(bytes("one ")), true);
    client.write(bytes("two "));
    client.writeBoth(bytes("three "), bytes("four"));
    await serverNotes.until(() => serverNotes.length === 18);
    assert.equal(serverNotes.text, "one two three four");
    server.write(bytes("answer"));
    await clientNotes.until(() => clientNotes.length === 6);
    assert.equal(clientNotes.text, "answer");
    assert.deepEqual([server.localAddress, server.remoteAddress], ["127.0.0.1", "127.0.0.1"]);
    assert.equal(server.localPort, scene.listener.port);
    assert.equal(client.localPort, server.remotePort);
    assert.equal(client.remotePort, scene.listener.port);
  });

  check("what is read may be written on, to the same connection and to another", async (scene) => {
    await scene.listen();
    const first = await scene.pair();
    const second = await scene.pair();
    first.serverNotes.onBytes = (view) => {
      first.server.write(view);
      second.server.write(view);
    };
    for (let i = 0; i < 200; i++) first.client.write(bytes(`${i};`));
    const length = Array.from({ length: 200 }, (_, i) => `${i};`).join("").length;
    await first.clientNotes.until(() => first.clientNotes.length >= length);
    await second.clientNotes.until(() => second.clientNotes.length >= length);
    assert.equal(first.clientNotes.text, second.clientNotes.text);
    assert.equal(first.clientNotes.text.split(";")[199], "199");
  });

  check(
    "a peer that does not read stops the writer, and what waits arrives whole",
    async (scene) => {
      await scene.listen();
      const { client, server, serverNotes } = await scene.pair();
      server.pause();
      const notes: Notes = client.events as Notes;
      let sent = 0;
      let sum = 0;
      for (let i = 0; sent < 64 * 1024 * 1024; i++) {
        const piece = Buffer.alloc(1 + (i * 7919) % 40_000, i & 0xff);
        sent += piece.length;
        sum = (sum + (i & 0xff) * piece.length) % 1_000_003;
        if (!client.write(piece)) break;
      }
      assert.ok(sent < 64 * 1024 * 1024, "the writer was asked to wait");
      let received = 0;
      serverNotes.onBytes = (view) => {
        serverNotes.chunks.length = 0;
        for (const byte of view) received = (received + byte) % 1_000_003;
      };
      server.resume();
      await serverNotes.until(() => serverNotes.length === sent);
      await notes.until(() => notes.drains > 0);
      assert.equal(received, sum);
    },
  );

  check(
    "bug: large pieces that were read and kept for a slow peer were overwritten by what was read next",
    async (scene) => {
      await scene.listen();
      const from = await scene.pair();
      const to = await scene.pair();
      const sent = Buffer.alloc(24_000_000);
      for (let i = 0; i < sent.length; i++) sent[i] = (i * 7 + (i >> 8) * 13) & 0xff;
      const notes = to.server.events as Notes;
      // The slow peer takes nothing until something is kept for it.
      to.client.pause();
      from.serverNotes.onBytes = (view) => {
        from.serverNotes.chunks.length = 0;
        if (to.server.write(view)) return;
        from.server.pause();
        to.client.resume();
      };
      const onDrain = notes.onDrain.bind(notes);
      notes.onDrain = () => {
        onDrain();
        from.server.resume();
      };
      for (let at = 0; at < sent.length; at += 100_000) {
        from.client.write(sent.subarray(at, at + 100_000));
      }
      await to.clientNotes.until(() => to.clientNotes.length === sent.length);
      assert.equal(Buffer.compare(Buffer.concat(to.clientNotes.chunks), sent), 0);
    },
  );

  check("a paused connection tells nothing, and everything when it goes on", async (scene) => {
    await scene.listen();
    const { client, server, serverNotes } = await scene.pair();
    client.write(bytes("a"));
    await serverNotes.until(() => serverNotes.length === 1);
    server.pause();
    client.write(bytes("b"));
    // Another connection's bytes have made the same way meanwhile.
    const other = await scene.pair();
    other.client.write(bytes("x"));
    await other.serverNotes.until(() => other.serverNotes.length === 1);
    assert.equal(serverNotes.text, "a");
    server.resume();
    await serverNotes.until(() => serverNotes.length === 2);
    assert.equal(serverNotes.text, "ab");
  });

  check("one side may end while the other goes on", async (scene) => {
    await scene.listen();
    const { client, clientNotes, server, serverNotes } = await scene.pair();
    client.write(bytes("question"));
    client.end();
    await serverNotes.ended();
    assert.equal(serverNotes.text, "question");
    server.write(bytes("answer"));
    server.end();
    await clientNotes.ended();
    assert.equal(clientNotes.text, "answer");
    await Promise.all([clientNotes.closed(), serverNotes.closed()]);
    assert.deepEqual(clientNotes.happened, ["end", "close"]);
    assert.deepEqual([clientNotes.error, serverNotes.error], [null, null]);
  });

  check("FIN comes behind what was queued", async (scene) => {
    await scene.listen();
    const { client, server, serverNotes } = await scene.pair();
    server.pause();
    const large = Buffer.alloc(8 * 1024 * 1024, 1);
    client.write(large);
    client.end();
    server.resume();
    await serverNotes.ended();
    assert.equal(serverNotes.length, large.length);
  });

  check("a reset is an error at the other side", async (scene) => {
    await scene.listen();
    const { client, clientNotes, serverNotes } = await scene.pair();
    client.reset();
    await Promise.all([clientNotes.closed(), serverNotes.closed()]);
    assert.match(serverNotes.error!.message, /reset/i);
    assert.deepEqual(serverNotes.happened, ["close"]);
    assert.equal(clientNotes.error, null);
  });

  check("a write that fails loses nothing of what the peer sent before", async (scene) => {
    const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const { connection, notes, connected } = scene.connect((listener.addr as Deno.NetAddr).port);
    const [peer] = await Promise.all([listener.accept(), connected]);
    listener.close();
    connection.write(bytes("request"));
    await peer.read(new Uint8Array(7));
    connection.pause();
    // Content that the peer leaves unread: closing resets the connection then (RFC 1122, 4.2.2.13).
    connection.write(Buffer.alloc(64 * 1024));
    await peer.write(bytes("response"));
    peer.close();
    for (let i = 0; i < 50; i++) {
      connection.write(Buffer.alloc(64 * 1024));
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    connection.resume();
    await notes.closed();
    assert.equal(notes.text, "response");
    assert.notEqual(notes.error, null);
  });

  check("closing is told once, and nothing after it", async (scene) => {
    await scene.listen();
    const { client, clientNotes, server, serverNotes } = await scene.pair();
    client.write(bytes("last"));
    client.close();
    client.close();
    client.write(bytes("never"));
    client.end();
    await serverNotes.ended();
    assert.equal(serverNotes.text, "last");
    await clientNotes.closed();
    assert.deepEqual(clientNotes.happened, ["close"]);
    server.close();
    await serverNotes.closed();
  });

  check("a connection that is refused, or forbidden, is closed with the reason", async (scene) => {
    const taken = net.createServer();
    await new Promise<void>((resolve) => taken.listen(0, "127.0.0.1", resolve));
    const { port } = taken.address() as net.AddressInfo;
    await new Promise((resolve) => taken.close(resolve));
    const { notes } = scene.connect(port);
    await notes.closed();
    assert.match(notes.error!.message, /refused/i);
  });

  check("where no connection may lead none does", async (scene) => {
    await scene.listen();
    const { notes } = scene.connect(scene.listener.port);
    await notes.closed();
    assert.equal(notes.error!.message, "connections to this address are not allowed");
  }, new UpstreamGuard({ blocked: ["127.0.0.0/8"], allowed: [] }));

  check(
    "bug: a connection that failed at the end of a turn was never told so",
    async (scene) => {
      await scene.listen();
      const { client, serverNotes } = await scene.pair();
      let guard: ReturnType<typeof setTimeout> | undefined;
      const failed = new Promise<Error | null>((resolve, reject) => {
        // A thread that waits looks again after ten seconds.
        guard = setTimeout(() => reject(new Error("it was not told")), 5_000);
        serverNotes.onBytes = () =>
          scene.atTurnEnd(() => {
            const { notes } = scene.connect(1, null, "192.0.2.1");
            void notes.closed().then(() => resolve(notes.error));
          });
      });
      client.write(bytes("x"));
      assert.match((await failed)!.message, /not allowed/);
      clearTimeout(guard);
    },
    new UpstreamGuard({ blocked: ["192.0.2.0/24"], allowed: [] }),
  );

  check("what precedes everything comes first", async (scene) => {
    await scene.listen();
    const client = scene.connect(scene.listener.port, bytes("PROXY "));
    const [, serverNotes] = await scene.accepted();
    await client.connected;
    client.connection.write(bytes("rest"));
    await serverNotes.until(() => serverNotes.length === 10);
    assert.equal(serverNotes.text, "PROXY rest");
  });

  check(
    "what is written before the connection is there comes in order, small and large",
    async (scene) => {
      await scene.listen();
      const { connection } = scene.connect(scene.listener.port);
      const pieces = [10, 20_000, 5, ...Array.from({ length: 9 }, () => 9_000), 3].map((size, i) =>
        Buffer.alloc(size, 97 + i)
      );
      for (const piece of pieces) connection.write(piece);
      const [, serverNotes] = await scene.accepted();
      const whole = Buffer.concat(pieces).toString("latin1");
      await serverNotes.until(() => serverNotes.length === whole.length);
      assert.equal(serverNotes.text, whole);
    },
  );

  check(
    "a trusted peer's PROXY header names the client, in one piece or in many",
    async (scene) => {
      const reasons: string[] = [];
      await scene.listen({
        proxyHeader: () => ({
          trusts: () => true,
          version: 1,
          timeout: 5_000,
          onBadHeader: (reason) => reasons.push(reason),
        }),
      });
      for (const size of [1, 1_000]) {
        const { connection, connected } = scene.connect(scene.listener.port);
        await connected;
        const text = "PROXY TCP4 192.0.2.7 192.0.2.8 4321 80\r\nGET";
        for (let at = 0; at < text.length; at += size) {
          connection.write(bytes(text.slice(at, at + size)));
          await new Promise((resolve) => setImmediate(resolve));
        }
        const [server, notes] = await scene.accepted();
        await notes.until(() => notes.length === 3);
        assert.deepEqual(
          [server.remoteAddress, server.remotePort, notes.text],
          ["192.0.2.7", 4321, "GET"],
        );
      }
      const { connection, notes } = scene.connect(scene.listener.port);
      connection.write(bytes("GET / HTTP/1.1\r\n\r\n"));
      await notes.until(() => notes.happened.length > 0);
      assert.equal(reasons.length, 1);
    },
  );

  check("who is not admitted is not heard", async (scene) => {
    await scene.listen({ admit: () => null });
    const { notes } = scene.connect(scene.listener.port);
    await notes.until(() => notes.happened.length > 0);
    assert.equal(notes.length, 0);
  });

  check("a closed listener takes nobody, connections stay", async (scene) => {
    await scene.listen();
    const { client, server, serverNotes } = await scene.pair();
    const closed = scene.listener.close();
    const late = scene.connect(scene.listener.port);
    await late.notes.closed();
    assert.match(late.notes.error!.message, /refused/i);
    client.write(bytes("still"));
    await serverNotes.until(() => serverNotes.length === 5);
    assert.equal(server.remotePort, client.localPort);
    client.close();
    server.close();
    await closed;
  });

  check("an exception over a peer's data closes that connection and no other", async (scene) => {
    using faults = new CollectedFaults();
    await scene.listen();
    const [broken, whole] = [await scene.pair(), await scene.pair()];
    broken.serverNotes.onBytes = () => {
      throw new Error("broken");
    };
    whole.serverNotes.onBytes = (view) => void whole.server.write(view);
    broken.client.write(bytes("question"));
    whole.client.write(bytes("question"));
    await broken.clientNotes.closed();
    await broken.serverNotes.closed();
    await whole.clientNotes.until(() => whole.clientNotes.text === "question");
    assert.deepEqual(faults.messages, ["broken"]);
    const next = await scene.pair();
    next.client.write(bytes("next"));
    await next.serverNotes.until(() => next.serverNotes.text === "next");
  });

  check("an exception while a connection is accepted closes that one only", async (scene) => {
    using faults = new CollectedFaults();
    const { accept } = scene.options();
    let accepted = 0;
    await scene.listen({
      accept(connection) {
        if (accepted++ === 0) throw new Error("not accepted");
        return accept(connection);
      },
    });
    const refused = scene.connect(scene.listener.port);
    await refused.notes.closed();
    const { client, serverNotes } = await scene.pair();
    client.write(bytes("next"));
    await serverNotes.until(() => serverNotes.text === "next");
    assert.deepEqual(faults.messages, ["not accepted"]);
  });

  check(
    "a connection has a place from accept to close, at the client that PROXY names",
    async (scene) => {
      const happened: string[] = [];
      const places = {
        admit: (address: string, proxied: boolean) => {
          happened.push(`admit ${address} ${proxied}`);
          return {
            moveTo: (client: string) => {
              happened.push(`move ${client}`);
              return client !== "203.0.113.9";
            },
            establish: () => void happened.push("establish"),
            release: () => void happened.push("release"),
            evict() {},
          };
        },
        proxyHeader: () => ({ trusts: () => true, version: 0, timeout: 60_000, onBadHeader() {} }),
      };
      await scene.listen(places);
      const header = (client: string) => bytes(`PROXY TCP4 ${client} 127.0.0.1 1 2\r\n`);
      const named = scene.connect(scene.listener.port, header("203.0.113.1"));
      const [server, notes] = await scene.accepted();
      assert.equal(server.remoteAddress, "203.0.113.1");
      named.connection.close();
      await notes.until(() => happened.includes("release") || notes.happened.includes("end"));
      server.close();
      await notes.closed();
      const refused = scene.connect(scene.listener.port, header("203.0.113.9"));
      await refused.notes.until(() => refused.notes.happened.length > 0);
      const silent = scene.connect(scene.listener.port);
      await silent.connected;
      silent.connection.close();
      await scene.settled(() => happened.filter((what) => what === "release").length >= 3);
      assert.deepEqual(happened.filter((what) => what !== "release"), [
        "admit 127.0.0.1 true",
        "move 203.0.113.1",
        "establish",
        "admit 127.0.0.1 true",
        "move 203.0.113.9",
        "admit 127.0.0.1 true",
      ]);
    },
  );

  check("a thousand connections at once are all served", async (scene) => {
    await scene.listen();
    const clients = Array.from({ length: 1_000 }, () => scene.connect(scene.listener.port));
    for (let i = 0; i < clients.length; i++) {
      const [server, notes] = await scene.accepted();
      notes.onBytes = (view) => void server.write(view);
    }
    clients.forEach(({ connection }, i) => connection.write(bytes(`${i}.`)));
    for (const [i, { notes }] of clients.entries()) {
      await notes.until(() => notes.text.endsWith("."));
      assert.equal(notes.text, `${i}.`);
    }
  });

  check("both families are taken where no address is given", async (scene) => {
    await scene.listen({ address: "" });
    for (const host of ["127.0.0.1", "::1"]) {
      const client = scene.connect(scene.listener.port, null, host);
      const [server] = await scene.accepted();
      await client.connected;
      assert.equal(server.remoteAddress, host);
    }
  });
});
