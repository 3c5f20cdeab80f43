import assert from "node:assert/strict";
import fc from "fast-check";
import { Backoff, delay } from "./backoff.ts";

Deno.test("delays double up to the maximum, drawn from the upper half", () => {
  const highest = new Backoff({ initial: 100, maximum: 1000, random: () => 1 });
  assert.deepEqual(Array.from({ length: 6 }, () => highest.next()), [
    100,
    200,
    400,
    800,
    1000,
    1000,
  ]);
  highest.reset();
  assert.equal(highest.next(), 100);
  const lowest = new Backoff({ initial: 100, maximum: 1000, random: () => 0 });
  assert.deepEqual(Array.from({ length: 3 }, () => lowest.next()), [50, 100, 200]);
});

Deno.test("every delay lies between half the initial one and the maximum", () => {
  const part = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
  fc.assert(
    fc.property(
      fc.array(part, { minLength: 1 }),
      fc.integer({ min: 1, max: 1000 }),
      (draws, initial) => {
        let at = 0;
        const backoff = new Backoff({
          initial,
          maximum: 5000,
          random: () => draws[at++ % draws.length],
        });
        for (let i = 0; i < 20; i++) {
          const wait = backoff.next();
          assert.ok(wait >= initial / 2 && wait <= 5000, String(wait));
        }
      },
    ),
  );
});

Deno.test("an aborted wait ends at once and leaves no timer behind", async () => {
  const abort = new AbortController();
  const waiting = delay(3_600_000, abort.signal);
  abort.abort();
  await waiting;
  await delay(3_600_000, abort.signal);
});
