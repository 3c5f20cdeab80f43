import assert from "node:assert/strict";
import { ControllerAddress, type Lookup } from "./controller_address.ts";

const NEVER = new AbortController().signal;

Deno.test("a controller's name leads to its addresses, those of the first one's family first", async () => {
  const six = { address: "fd00::1", family: 6 };
  const four = { address: "192.0.2.1", family: 4 };
  const targets = (...found: Awaited<ReturnType<Lookup>>) =>
    new ControllerAddress("edge:9090", () => Promise.resolve(found)).targets(NEVER);
  assert.deepEqual(await targets(four), ["ipv4:192.0.2.1:9090"]);
  assert.deepEqual(await targets(four, six), ["ipv4:192.0.2.1:9090", "ipv6:[fd00::1]:9090"]);
  assert.deepEqual(await targets(six, four, { ...four, address: "192.0.2.2" }), [
    "ipv6:[fd00::1]:9090",
    "ipv4:192.0.2.1:9090,192.0.2.2:9090",
  ]);
});

Deno.test("addresses and sockets are not looked up", async () => {
  for (const address of ["192.0.2.1:9090", "[fd00::1]:9090", "unix:/run/controller.sock"]) {
    const held = new ControllerAddress(address, () => Promise.reject(new Error("asked")));
    assert.deepEqual(await held.targets(NEVER), [address]);
  }
});

Deno.test("name servers that are lost take no controller with them", async () => {
  const answers: (() => ReturnType<Lookup>)[] = [
    () => Promise.reject(new Error("no such host")),
    () => Promise.resolve([{ address: "192.0.2.1", family: 4 }]),
    () => Promise.reject(new Error("no such host")),
    () => new Promise(() => {}),
    () => Promise.resolve([{ address: "192.0.2.9", family: 4 }]),
  ];
  const address = new ControllerAddress("edge:9090", () => answers.shift()!());
  await assert.rejects(address.targets(NEVER), /no such host/);
  for (const host of ["192.0.2.1", "192.0.2.1", "192.0.2.1", "192.0.2.9"]) {
    assert.deepEqual(await address.targets(NEVER), [`ipv4:${host}:9090`]);
  }
});

Deno.test("nobody waits for a name server when the agent ends", async () => {
  const address = new ControllerAddress("edge:9090", () => new Promise(() => {}));
  const ended = new AbortController();
  const asked = address.targets(ended.signal);
  ended.abort();
  await assert.rejects(asked, /no name server answers for edge/);
});
