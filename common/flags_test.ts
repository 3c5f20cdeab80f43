import assert from "node:assert/strict";
import fc from "fast-check";
import { FlagError, HelpRequested, parseFlags, variableOf } from "./flags.ts";

const TABLE = {
  "log-level": { type: "string", default: "info", help: "level", choices: ["info", "warn"] },
  folder: { type: "string", default: "", help: "a folder" },
  port: { type: "integer", default: 80, help: "a port", range: [1, 65535] },
  workers: { type: "integer", default: 0, help: "workers" },
  human: { type: "boolean", default: false, help: "for people" },
} as const;

const parse = (args: readonly string[], env: Readonly<Record<string, string>> = {}) =>
  parseFlags("prog", TABLE, args, (name) => env[name]);

Deno.test("defaults, then environment, then command line", () => {
  assert.deepEqual(parse([]), {
    "log-level": "info",
    folder: "",
    port: 80,
    workers: 0,
    human: false,
  });
  const env = { NOVAEDGE_LOG_LEVEL: "warn", NOVAEDGE_PORT: "81", NOVAEDGE_HUMAN: "true" };
  assert.deepEqual(parse([], env), {
    "log-level": "warn",
    folder: "",
    port: 81,
    workers: 0,
    human: true,
  });
  const all = parse(["--port=82", "--folder", "x y", "--no-human", "--log-level", "info"], env);
  assert.deepEqual(all, { "log-level": "info", folder: "x y", port: 82, workers: 0, human: false });
  assert.equal(variableOf("log-level"), "NOVAEDGE_LOG_LEVEL");
});

/** Arguments, environment, and what the one line must say. */
const BAD: readonly [string[], Record<string, string>, RegExp][] = [
  [["--bogus"], {}, /'--bogus'/],
  [["--bogus=1"], {}, /'--bogus'/],
  [["stray"], {}, /'stray'/],
  [["--port"], {}, /'--port/],
  [["--port", "x"], {}, /^--port must be a whole number from 1 to 65535, not "x"$/],
  [["--port=0"], {}, /from 1 to 65535, not "0"/],
  [["--port=65536"], {}, /not "65536"/],
  [["--port=-1"], {}, /not "-1"/],
  [["--port=1e3"], {}, /not "1e3"/],
  [["--port= 80"], {}, /not " 80"/],
  [["--port="], {}, /not ""/],
  [["--workers=99999999999999999999"], {}, /not "99999999999999999999"/],
  [["--log-level=loud"], {}, /^--log-level must be one of info, warn, not "loud"$/],
  [["--human=yes"], {}, /'--human'/],
  [["--no-port"], {}, /'--no-port'/],
  [[], { NOVAEDGE_HUMAN: "yes" }, /^--human must be true or false, not "yes"$/],
  [[], { NOVAEDGE_PORT: "" }, /^--port .* not ""$/],
];

for (const [args, env, message] of BAD) {
  Deno.test(`bad flag: ${JSON.stringify(args)} ${JSON.stringify(env)}`, () => {
    assert.throws(() => parse(args, env), (error: Error) => {
      assert.ok(error instanceof FlagError);
      assert.equal(error.code, "FLAG");
      assert.match(error.message, message);
      assert.ok(!error.message.includes("\n"), "one line");
      return true;
    });
  });
}

Deno.test("help lists every flag, its default and its variable's rule", () => {
  for (const args of [["--help"], ["-h"], ["--port=1", "--help"]]) {
    assert.throws(() => parse(args), (error: Error) => {
      assert.ok(error instanceof HelpRequested);
      for (const name of Object.keys(TABLE)) assert.ok(error.message.includes(`--${name}`), name);
      assert.match(error.message, /^Usage: prog \[flags\]\n/);
      assert.match(error.message, /--port N +a port \[80\]\n/);
      assert.match(error.message, /--folder TEXT +a folder\n/);
      assert.match(error.message, /NOVAEDGE_LOG_LEVEL/);
      return true;
    });
  }
});

Deno.test("--version says the versions of the program and of the runtime", () => {
  assert.throws(() => parse(["--version"]), (error: Error) => {
    assert.ok(error instanceof HelpRequested);
    assert.match(error.message, /^prog \d+\.\d+\.\d+ \(deno \d+\.\d+\.\d+\)\n$/);
    return true;
  });
});

Deno.test("arbitrary arguments give values in range or a FlagError, nothing else", () => {
  const word = fc.oneof(
    fc.constantFrom("--port", "--human", "--no-human", "--log-level", "--", "-h", "-x", "--port=1"),
    fc.string({ maxLength: 6 }),
  );
  fc.assert(fc.property(fc.array(word, { maxLength: 5 }), (args) => {
    try {
      const { port, human } = parse(args);
      assert.ok(Number.isInteger(port) && port >= 1 && port <= 65535);
      assert.equal(typeof human, "boolean");
    } catch (error) {
      assert.ok(error instanceof FlagError || error instanceof HelpRequested, String(error));
    }
  }));
});
