import assert from "node:assert/strict";
import { createLogger } from "../../common/log.ts";
import type { Answer } from "../net/guarded_get.ts";
import { KeySets } from "./key_sets.ts";
import type { KeysWanted } from "./messages.ts";

const WANTED: KeysWanted = { url: "https://issuer/keys", refresh: 60_000, timeout: 1_000 };
const SET = (kid: string) => JSON.stringify({ keys: [{ kty: "oct", kid }] });

const ok = (body: string): Answer => ({ status: 200, body });

/** Key sets whose issuer answers what the test says. */
function scene() {
  const sent: [number, string | null][] = [];
  let answer: () => Answer | Promise<Answer> = () => ok(SET("a"));
  let fetches = 0;
  let now = 0;
  const waiting: (() => void)[] = [];
  const sets = new KeySets({
    log: createLogger("test", "error"),
    send: (worker, _wanted, json) => {
      sent.push([worker, json]);
      for (const resolve of waiting.splice(0)) resolve();
    },
    get: () => {
      fetches++;
      return Promise.resolve(answer());
    },
    now: () => now,
  });
  return {
    sets,
    sent,
    answers: (next: typeof answer) => answer = next,
    fetches: () => fetches,
    pass: (milliseconds: number) => now += milliseconds,
    /** Resolves with the next message to a worker. */
    next: () => new Promise<void>((resolve) => waiting.push(resolve)),
  };
}

Deno.test("keys are fetched once for all workers, and who comes later gets what is there", async () => {
  const { sets, sent, fetches, next } = scene();
  const told = next();
  sets.follow(0, WANTED);
  sets.follow(1, WANTED);
  await told;
  assert.deepEqual(sent, [[0, SET("a")], [1, SET("a")]]);
  sets.follow(2, WANTED);
  assert.deepEqual(sent.at(-1), [2, SET("a")]);
  assert.equal(fetches(), 1);
  for (const worker of [0, 1, 2]) sets.drop(worker, WANTED);
});

Deno.test("unknown keys cause one fetch within 30 s, and everybody who asks gets an answer", async () => {
  const { sets, sent, answers, fetches, pass, next } = scene();
  let told = next();
  sets.follow(0, WANTED);
  await told;
  answers(() => ok(SET("b")));
  told = next();
  sets.refresh(0, WANTED);
  // The second asks while the first's fetch is on its way.
  sets.refresh(0, WANTED);
  await told;
  assert.deepEqual(sent.at(-1), [0, SET("b")]);
  assert.equal(fetches(), 2);
  answers(() => ok(SET("c")));
  sets.refresh(0, WANTED);
  assert.deepEqual(sent.at(-1), [0, SET("b")]);
  assert.equal(fetches(), 2);
  pass(30_000);
  told = next();
  sets.refresh(0, WANTED);
  await told;
  assert.deepEqual(sent.at(-1), [0, SET("c")]);
  sets.dropAll(0);
  sets.refresh(0, WANTED);
  assert.deepEqual(sent.at(-1), [0, null]);
});

Deno.test("an issuer that is away, or answers nonsense, leaves the keys as they were", async () => {
  const bad: (() => Answer | Promise<Answer>)[] = [
    () => ({ status: 500, body: "no" }),
    () => ok("not json"),
    () => ok("{}"),
    () => Promise.reject(new TypeError("refused")),
  ];
  for (const broken of bad) {
    const { sets, sent, answers, next } = scene();
    answers(broken);
    let told = next();
    sets.follow(0, WANTED);
    await told;
    assert.deepEqual(sent, [[0, null]]);
    answers(() => ok(SET("a")));
    told = next();
    sets.refresh(0, WANTED);
    await told;
    assert.deepEqual(sent.at(-1), [0, SET("a")]);
    assert.equal(sets.failures, 1);
    sets.dropAll(0);
  }
});

Deno.test("bug: a response of an issuer that is not JSON was quoted in the log", async () => {
  const lines: string[] = [];
  const told = Promise.withResolvers<void>();
  const sets = new KeySets({
    log: createLogger("test", "error", { human: false, write: (line) => void lines.push(line) }),
    send: () => told.resolve(),
    get: () => Promise.resolve(ok('hunter2"}')),
  });
  sets.follow(0, WANTED);
  await told.promise;
  sets.drop(0, WANTED);
  assert.equal(lines.length, 1);
  assert.equal(JSON.parse(lines[0]).reason, "not JSON");
});
