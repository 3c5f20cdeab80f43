import assert from "node:assert/strict";
import { httpBackend } from "../support/backends.ts";
import { backend } from "../support/edge.ts";
import { rule, Scene } from "./scene.ts";
import { interop, run } from "./tools.ts";

await interop(
  "h2spec: all 146 strict cases on both listeners",
  ["h2spec"],
  async ({ h2spec }, t) => {
    // A stream whose answer is done may be closed at once (RFC 9113 section 8.1), and then a case that
    // goes on sending on it is told NO_ERROR instead of its fault: nothing is answered before the end
    // of the request, so that each case is judged by its own frames and not by who was faster.
    await using patient = httpBackend(async (request) => {
      await request.arrayBuffer().catch(() => {});
      return new Response("hello from the backend\n");
    });
    await using scene = await Scene.start([rule("/", "patient")], [
      backend("patient", patient.port),
    ]);
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
