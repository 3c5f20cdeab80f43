import assert from "node:assert/strict";
import { Scene } from "./scene.ts";
import { interop, run } from "./tools.ts";

await interop(
  "h2spec: all 146 strict cases on both listeners",
  ["h2spec"],
  async ({ h2spec }, t) => {
    await using scene = await Scene.start();
    const cases = [
      ["cleartext", scene.plain, []],
      ["TLS", scene.secure, ["-t", "-k"]],
    ] as const;
    for (const [name, port, more] of cases) {
      await t.step(name, async () => {
        const { stdout } = await run(h2spec, [
          ...["-S", "-h", "127.0.0.1", "-p", String(port), "-o", "5", ...more],
        ]);
        const failed = stdout.split("\n").filter((line) => line.includes("×"));
        assert.deepEqual(failed, []);
        assert.match(stdout, /146 tests, 146 passed, 0 skipped, 0 failed/);
      });
    }
  },
);
