import assert from "node:assert/strict";
import { once } from "node:events";
import net from "node:net";
import { forEachTransport } from "../../../tests/support/transports.ts";
import { DescriptorMessage, MOST_DESCRIPTORS } from "./descriptor_message.ts";
import { Descriptors, DESCRIPTORS_SIZE } from "./descriptors.ts";
import { Libc } from "./libc.ts";
import { nativeProblem } from "./native_problem.ts";
import { NativeListener } from "./native_listener.ts";
import { NativeTransport } from "./native_transport.ts";

Deno.test("a message says what it carries", () => {
  for (
    const descriptors of [
      [3],
      [3, 4, 5],
      Array.from({ length: MOST_DESCRIPTORS }, (_, i) => i),
    ]
  ) {
    assert.deepEqual(DescriptorMessage.of(descriptors).descriptors(), descriptors);
  }
  assert.throws(() => DescriptorMessage.of([]), /1 to 253/);
  assert.deepEqual(new DescriptorMessage(4).descriptors(), []);
});

const problem = nativeProblem();
Deno.test({
  name: `descriptors pass through a unix socket${problem === "" ? "" : ` (${problem})`}`,
  ignore: problem !== "",
  fn() {
    const libc = new Libc(new Descriptors(new SharedArrayBuffer(DESCRIPTORS_SIZE), 1));
    const [one, other] = libc.socketPair();
    const counter = libc.eventCounter();
    libc.sendDescriptors(one, [counter, counter]);
    const [first, second] = libc.receiveDescriptors(other, 2);
    assert.equal(new Set([counter, first, second]).size, 3, "they are copies");
    assert.throws(() => libc.receiveDescriptors(other, 2), /unavailable/);
    for (const descriptor of [one, other, counter, first, second]) libc.close(descriptor);
  },
});

forEachTransport((check, name) => {
  if (name !== "native") return;
  check("a listener goes on under whoever gets its descriptor", async (scene) => {
    await scene.listen();
    const { port } = scene.listener;
    const { libc } = scene.native!;
    const [one, other] = libc.socketPair();
    const listener = scene.listener as NativeListener;
    listener.passTo(one);
    const [socket] = libc.receiveDescriptors(other, 1);
    libc.close(one);
    libc.close(other);
    // Clients that come between the one's end and the other's beginning wait.
    await listener.close();
    const client = net.connect({ host: "127.0.0.1", port });
    await once(client, "connect");
    const transport = scene.transport as NativeTransport;
    let accepted = 0;
    const successor = transport.adopt(socket, {
      ...scene.options(),
      accept: (connection) => {
        accepted++;
        connection.write(new TextEncoder().encode("here"));
        return { onData() {}, onDrain() {}, onEnd: () => connection.end(), onClose() {} };
      },
    });
    assert.equal(successor.port, port);
    const [bytes] = await once(client, "data");
    assert.equal(String(bytes), "here");
    assert.equal(accepted, 1);
    client.end();
    await once(client, "close");
    await successor.close();
  });
});
