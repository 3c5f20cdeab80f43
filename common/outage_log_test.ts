import assert from "node:assert/strict";
import { OutageLog } from "./outage_log.ts";

function setup() {
  const said: string[] = [];
  const clock = { now: 0 };
  return { said, clock, log: new OutageLog((reason) => said.push(reason), () => clock.now) };
}

Deno.test("an outage is named once, after its grace time", () => {
  const { said, clock, log } = setup();
  for (clock.now = 0; clock.now < 10_000; clock.now += 500) {
    log.failed("refused");
    assert.equal(said.length, clock.now < 2000 ? 0 : 1, String(clock.now));
  }
});

Deno.test("a new reason is named, also within the same outage", () => {
  const { said, clock, log } = setup();
  log.failed("refused");
  clock.now = 3000;
  log.failed("refused");
  log.failed("bad certificate");
  log.failed("bad certificate");
  assert.deepEqual(said, ["refused", "bad certificate"]);
});

Deno.test("a restart within the grace time is not worth a word, the next outage is", () => {
  const { said, clock, log } = setup();
  log.failed("refused");
  clock.now = 1500;
  log.ended();
  clock.now = 3000;
  log.failed("refused");
  assert.deepEqual(said, []);
  clock.now = 5000;
  log.failed("refused");
  log.ended();
  clock.now = 6000;
  log.failed("refused");
  clock.now = 9000;
  log.failed("refused");
  assert.deepEqual(said, ["refused", "refused"]);
});
