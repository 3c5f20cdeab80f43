import assert from "node:assert/strict";
import { ParseQueue } from "./parse_queue.ts";

/** A queue whose slices go on when the test says so. */
class Fixture {
  readonly events: string[] = [];
  readonly #pauses: (() => void)[] = [];
  #asked: (() => void) | null = null;
  #ended: (() => void) | null = null;
  readonly queue = new ParseQueue({
    parse: (file, text) => this.#parse(file, text),
    done: (file, _parsed, current) => {
      this.events.push(current() ? `${file} done` : `${file} late`);
      this.#ended?.();
      return Promise.resolve();
    },
    failed: (file, reason) => this.events.push(`${file} failed: ${reason}`),
    pause: () =>
      new Promise((resolve) => {
        this.#pauses.push(resolve);
        this.#asked?.();
      }),
  });

  *#parse(file: string, text: string) {
    for (const letter of text) {
      if (letter === "!") throw new Error("no parser is without faults");
      this.events.push(`${file} ${letter}`);
      yield;
    }
    return { documents: [] };
  }

  /** Lets slices go on until a file is done. */
  async done(): Promise<void> {
    let over = false;
    const ended = new Promise<void>((resolve) =>
      this.#ended = () => {
        over = true;
        resolve();
      }
    );
    while (!over) await Promise.race([ended, this.step()]);
  }

  /** Lets one slice go on. */
  async step(): Promise<void> {
    if (this.#pauses.length === 0) await new Promise<void>((resolve) => this.#asked = resolve);
    this.#pauses.shift()!();
  }
}

Deno.test("a file whose text changes while it is parsed begins again, behind the others", async () => {
  const fixture = new Fixture();
  fixture.queue.add("a", "123");
  fixture.queue.add("b", "1");
  await fixture.step();
  await fixture.step();
  fixture.queue.add("a", "4");
  await fixture.done();
  await fixture.done();
  await fixture.queue.stop();
  assert.deepEqual(fixture.events, ["a 1", "a 2", "b 1", "b done", "a 4", "a done"]);
});

Deno.test("a file that parsing fails on takes no other with it", async () => {
  const fixture = new Fixture();
  fixture.queue.add("a", "!");
  fixture.queue.add("b", "1");
  await fixture.done();
  await fixture.queue.stop();
  assert.deepEqual(fixture.events, ["a failed: no parser is without faults", "b 1", "b done"]);
});

Deno.test("bug: a text that came as the last one was finished waited for the next", async () => {
  const parsed: string[] = [];
  const { promise: second, resolve: arrived } = Promise.withResolvers<void>();
  const { promise: first, resolve: finish } = Promise.withResolvers<void>();
  const queue = new ParseQueue({
    // deno-lint-ignore require-yield
    *parse(file) {
      parsed.push(file);
      return { documents: [] };
    },
    done: (file) => {
      if (file === "b") {
        arrived();
        return Promise.resolve();
      }
      // The queue waits for `first` by then: its own turn comes before that of the new text.
      setTimeout(() => {
        void first.then(() => queue.add("b", "1"));
        finish();
      });
      return first;
    },
    failed: () => {},
    pause: () => Promise.resolve(),
  });
  queue.add("a", "1");
  await second;
  await queue.stop();
  assert.deepEqual(parsed, ["a", "b"]);
});
