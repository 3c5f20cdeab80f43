import assert from "node:assert/strict";
import net from "node:net";
import { UpstreamGuard } from "../net/upstream_guard.ts";
import { RedisClient } from "./redis_client.ts";

const INFO = "redis_version:7.0.0\r\nloading:0\r\n";

/** A server that answers scripts after some time, and all else at once. */
async function slowServer(milliseconds: number): Promise<{ port: number; close(): void }> {
  const sockets = new Set<net.Socket>();
  const timers = new Set<ReturnType<typeof setTimeout>>();
  const server = net.createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.on("data", (data) => {
      for (
        const [, command] of data.toString().toLowerCase().matchAll(/\*\d+\r\n\$\d+\r\n(\w+)/g)
      ) {
        if (command === "info") socket.write(`$${INFO.length}\r\n${INFO}\r\n`);
        else if (command !== "evalsha") socket.write("+OK\r\n");
        else {
          timers.add(setTimeout(() => {
            if (!socket.destroyed) socket.write("*3\r\n:0\r\n:1\r\n:1\r\n");
          }, milliseconds));
        }
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    port: (server.address() as net.AddressInfo).port,
    close() {
      for (const timer of timers) clearTimeout(timer);
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}

Deno.test("bug: a Redis that always answers too late is not waited for any more", async () => {
  const server = await slowServer(40);
  const settings = { host: "127.0.0.1", database: 0, password: "", tls: false, cluster: false };
  const client = new RedisClient({ ...settings, port: server.port, algorithm: 0 }, {
    now: () => 1_000,
    guard: new UpstreamGuard({ blocked: [], allowed: [] }),
  });
  const run = () => client.run("return 1", "k", [1, 2, 3]);
  // Until it is connected nobody waits.
  let first = run();
  while (first === null) {
    await new Promise((resolve) => setTimeout(resolve, 5));
    first = run();
  }
  let waited = 1;
  assert.equal(await first, null);
  for (let answer = run(); answer !== null && waited < 50; answer = run()) {
    waited++;
    assert.equal(await answer, null);
    // The answer comes meanwhile.
    await new Promise((resolve) => setTimeout(resolve, 45));
  }
  assert.equal(waited, 5);
  client.close();
  server.close();
});

Deno.test("a Redis at a forbidden address is not connected to, by address and by name", async () => {
  const guard = new UpstreamGuard({ blocked: ["127.0.0.0/8", "::1"], allowed: [] });
  let connections = 0;
  const server = net.createServer(() => void connections++);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as net.AddressInfo;
  const settings = { port, database: 0, password: "secret", tls: false, algorithm: 0 };
  let time = 0;
  const now = () => time += 10_000;
  for (const host of ["127.0.0.1", "localhost"]) {
    const client = new RedisClient({ ...settings, host, cluster: false }, { now, guard });
    let run = client.run("return 1", "k", []);
    while (run === null) {
      await new Promise((resolve) => setTimeout(resolve, 5));
      run = client.run("return 1", "k", []);
    }
    assert.equal(await run, null);
    // Another attempt to connect is due by now.
    await new Promise((resolve) => setTimeout(resolve, 120));
    client.close();
  }
  assert.equal(connections, 0);
  await new Promise((resolve) => server.close(resolve));
});
