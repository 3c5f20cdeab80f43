/** What the system may say to the native transport beside what one hopes for. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { once } from "node:events";
import net from "node:net";
import { join } from "node:path";
import { setImmediate } from "node:timers";
import { Program } from "../../../tests/support/programs.ts";
import { forEachTransport } from "../../../tests/support/transports.ts";
import { BLOCKED, FAILED, PlainChannel } from "./channel.ts";
import { Descriptors, DESCRIPTORS_SIZE } from "./descriptors.ts";
import { HandshakeQueue, type Step } from "./handshake_queue.ts";
import { ERRNO, Libc } from "./libc.ts";
import { nativeProblem } from "./native_problem.ts";
import { Poller } from "./poller.ts";

const problem = nativeProblem();

function check(name: string, fn: () => void | Promise<void>): void {
  Deno.test({
    name: problem === "" ? name : `${name} (${problem})`,
    ignore: problem !== "",
    fn,
  });
}

/** A C library that says what it is told to: numbers of bytes, or errors as negative numbers. */
function scripted(answers: number[]): Libc {
  let errno = 0;
  const next = () => {
    const answer = answers.shift()!;
    if (answer >= 0) return answer;
    errno = -answer;
    return -1;
  };
  return {
    receive: next,
    send: next,
    get errno() {
      return errno;
    },
  } as unknown as Libc;
}

Deno.test("a call that was interrupted is made again", () => {
  const channel = new PlainChannel(scripted([-ERRNO.EINTR, -ERRNO.EINTR, 5]), 9);
  assert.equal(channel.receive(new Uint8Array(10)), 5);
  assert.ok(channel.drained);
  const writer = new PlainChannel(scripted([-ERRNO.EINTR, 3]), 9);
  assert.equal(writer.send(new Uint8Array(10)), 3);
});

Deno.test("no room and no memory now are no failure", () => {
  const memory = new Uint8Array(10);
  for (const errno of [ERRNO.EAGAIN, ERRNO.ENOBUFS]) {
    const channel = new PlainChannel(scripted([-errno, -errno]), 9);
    assert.equal(channel.send(memory), BLOCKED);
    assert.equal(channel.receive(memory), BLOCKED);
    assert.equal(channel.failure, null);
  }
});

Deno.test("a peer that is gone is a failure with its reason", () => {
  for (
    const [errno, text] of [[ERRNO.EPIPE, /broken pipe/], [ERRNO.ECONNRESET, /reset/]] as const
  ) {
    const channel = new PlainChannel(scripted([-errno]), 9);
    assert.equal(channel.send(new Uint8Array(1)), FAILED);
    assert.match(channel.failure!.message, text);
  }
});

Deno.test("a read that fills its memory may have left more", () => {
  const channel = new PlainChannel(scripted([10, 9]), 9);
  channel.receive(new Uint8Array(10));
  assert.equal(channel.drained, false);
  channel.receive(new Uint8Array(10));
  assert.equal(channel.drained, true);
});

/** A poller over a C library of its own. */
class Scene implements Disposable {
  readonly libc = new Libc(new Descriptors(new SharedArrayBuffer(DESCRIPTORS_SIZE), 1));
  readonly poller = new Poller(this.libc, () => performance.now());

  [Symbol.dispose]() {
    this.poller.stop();
  }
}

/** Lets the event loop turn until something is so. */
async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve));
}

check("a descriptor opened again within a batch hears nothing of the closed one", async () => {
  using scene = new Scene();
  const { libc, poller } = scene;
  const told: string[] = [];
  const [first, second] = [libc.eventCounter(), libc.eventCounter()];
  let again = -1;
  const replace = (name: string, other: number) => () => {
    told.push(name);
    if (again !== -1) return;
    poller.close(other);
    again = libc.eventCounter();
    assert.equal(again, other, "the number is used again at once");
    poller.add(again, {
      onEvents: (happened) => void told.push((happened & 1) === 0 ? "writable" : "readable"),
      onFault() {},
    });
  };
  // Both can be written to from the start, so one look finds both.
  poller.add(first, { onEvents: replace("first", second), onFault() {} });
  poller.add(second, { onEvents: replace("second", first), onFault() {} });
  await until(() => again !== -1);
  const third = libc.eventCounter();
  let later = false;
  poller.add(third, { onEvents: () => void (later = true), onFault() {} });
  await until(() => later);
  assert.deepEqual(told, ["first", "writable"], "what is new is told once, of itself");
  libc.raise(again);
  await until(() => told.includes("readable"));
  for (const descriptor of [first, again, third]) poller.close(descriptor);
});

check("bug: a poller that was stopped between two turns used its memory once more", async () => {
  for (let i = 0; i < 50; i++) {
    const { libc, poller } = new Scene();
    const counter = libc.eventCounter();
    let told = false;
    poller.add(counter, { onEvents: () => void (told = true), onFault() {} });
    await until(() => told);
    poller.close(counter);
    // It is due to wait elsewhere by now.
    const late = performance.now() + 3;
    while (performance.now() < late);
    poller.stop();
    await new Promise((resolve) => setTimeout(resolve));
  }
});

check("waking up for nothing does no harm", async () => {
  using scene = new Scene();
  const { libc, poller } = scene;
  const counter = libc.eventCounter();
  let calls = 0;
  const watched = {
    onEvents() {
      calls++;
      libc.lower(counter);
    },
    onFault() {},
  };
  poller.add(counter, watched);
  await until(() => calls > 0);
  for (let i = 0; i < 2; i++) {
    const before = calls;
    poller.again(watched);
    await until(() => calls > before);
  }
  poller.close(counter);
});

check(
  "bug: thirty transfers had their turns before what had happened meanwhile was looked at",
  async () => {
    using scene = new Scene();
    const { libc, poller } = scene;
    const counter = libc.eventCounter();
    let turns = 0;
    let before = -1;
    poller.add(counter, { onEvents: () => before = turns, onFault() {} });
    await until(() => before === 0);
    before = -1;
    for (let i = 0; i < 30; i++) {
      const transfer = {
        onEvents() {
          if (turns++ === 0) libc.raise(counter);
          // What a transfer takes.
          for (const end = performance.now() + 1; performance.now() < end;);
          if (before < 0) poller.again(transfer);
        },
        onFault() {},
      };
      poller.again(transfer);
    }
    await until(() => before >= 0);
    assert.ok(before < 10, `told after ${before} turns of transfers`);
    poller.close(counter);
  },
);

check("a connection that asks twice for a turn gets one, behind those that wait", async () => {
  using scene = new Scene();
  const { poller } = scene;
  const order: string[] = [];
  const watched = (name: string) => ({ onEvents: () => void order.push(name), onFault() {} });
  const [first, second] = [watched("first"), watched("second")];
  poller.again(first);
  poller.again(second);
  poller.again(first);
  poller.later(() => void order.push("later"));
  await until(() => order.includes("later"));
  assert.deepEqual(order, ["first", "second", "later"]);
});

Deno.test("handshakes beyond a turn's budget go on in the next turns, in order", () => {
  let asked = 0;
  const poller = { again: () => asked++ } as unknown as Poller;
  let now = 0;
  const queue = new HandshakeQueue(poller, () => now, 10);
  const order: number[] = [];
  const perTurn: number[] = [0];
  const steps = Array.from({ length: 7 }, (_, i): Step => ({
    queued: false,
    onFault() {},
    step() {
      now += 4;
      order.push(i);
      perTurn[perTurn.length - 1]++;
    },
  }));
  for (const step of steps) queue.add(step);
  queue.add(steps[0]);
  while (order.length < 7) {
    queue.onEvents();
    perTurn.push(0);
  }
  assert.deepEqual(order, [0, 1, 2, 3, 4, 5, 6], "each once, though one was added twice");
  assert.deepEqual(perTurn.slice(0, 3), [3, 3, 1]);
  assert.equal(asked, 3, "once for each turn");
});

check(
  "without descriptors nothing is accepted, and everything again when there are some",
  async () => {
    await using program = new Program("few descriptors", "sh", [
      "-c",
      'ulimit -n 72; exec "$0" run -A --no-check "$1"',
      Deno.execPath(),
      join(import.meta.dirname!, "testdata/few_descriptors.ts"),
    ]);
    const { port } = JSON.parse(await program.line(/port/));
    const clients = Array.from({ length: 64 }, () => net.connect({ host: "127.0.0.1", port }));
    for (const client of clients) client.on("error", () => {});
    await Promise.all(clients.map((client) => once(client, "connect")));
    const { taken, waiting, after } = JSON.parse(await program.line(/taken/));
    for (const client of clients) client.destroy();
    assert.ok(taken < 64, `${taken} taken`);
    assert.ok(waiting > 0, "some had to wait");
    assert.equal(after, 64, "all are served in the end");
  },
);

forEachTransport((test) => {
  test("what is written to a peer that has reset fails, once", async (scene) => {
    await scene.listen();
    const socket = net.connect({ host: "127.0.0.1", port: scene.listener.port });
    await once(socket, "connect");
    const [server, notes] = await scene.accepted();
    socket.resetAndDestroy();
    await notes.closed();
    assert.notEqual(notes.error, null);
    assert.equal(server.write(Buffer.alloc(100_000)), true, "nobody waits for what cannot be sent");
    server.end();
    server.reset();
    assert.deepEqual(notes.happened, ["close"]);
  });

  test("a slow reader gets everything, however the kernel cuts it", async (scene) => {
    await scene.listen();
    const socket = net.connect({ host: "127.0.0.1", port: scene.listener.port });
    socket.pause();
    await once(socket, "connect");
    const [server] = await scene.accepted();
    const sent = Buffer.alloc(6_000_000, "0123456789");
    for (let at = 0; at < sent.length; at += 150_000) {
      server.write(sent.subarray(at, at + 150_000));
    }
    server.end();
    const got: Buffer[] = [];
    socket.on("data", (chunk: Buffer) => {
      got.push(chunk);
      socket.pause();
      setImmediate(() => socket.resume());
    });
    socket.resume();
    await once(socket, "end");
    assert.equal(Buffer.compare(Buffer.concat(got), sent), 0);
    socket.destroy();
  });
});
