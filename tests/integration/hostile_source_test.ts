import assert from "node:assert/strict";
import { textBackend } from "../support/backends.ts";
import { backend, documents, Edge, gateway, route } from "../support/edge.ts";
import { get } from "../support/http_client.ts";
import { freePort } from "../support/programs.ts";

/** Files that held the controller for seconds or minutes, and what is said of them. */
const HOSTILE: [what: string, text: () => string, problem: RegExp][] = [
  ["400 explicit keys in each other", () => "? ".repeat(400), /1: a key must be a scalar/],
  [
    "8,000 keys in one map",
    () => Array.from({ length: 8_000 }, (_, i) => `k${i}: 1\n`).join(""),
    /1: kind: missing/,
  ],
  ["5,000 nested maps", () => "{a: ".repeat(5_000), /1: the document nests too deep/],
  [
    "100,000 bad documents",
    () => "kind: [\n---\n".repeat(100_000),
    /10001: the file has too many documents/,
  ],
  ["a scalar of 50 MB", () => `a: ${"x".repeat(50_000_000)}\n`, /: the file has 50,000,004 bytes/],
  [
    "a file of 16 MB with one list",
    () => `a:\n${"- b\n".repeat(4_000_000)}`,
    /1: the document has [\d,]+ characters/,
  ],
];

Deno.test("an edit beside a hostile file is served, and the file's problem is reported by file and line", async () => {
  await using blue = textBackend("blue");
  await using green = textBackend("green");
  const port = freePort();
  await using edge = await Edge.start({
    "base.yaml": documents(
      gateway("edge", port),
      backend("blue", blue.port),
      backend("green", green.port),
    ),
    "route.yaml": route("shop", "blue"),
  });
  for (const [i, [what, text, problem]] of HOSTILE.entries()) {
    const mark = edge.controller.mark;
    await edge.write("hostile.yaml", text());
    const color = i % 2 === 0 ? "green" : "blue";
    await edge.change("route.yaml", route("shop", color));
    // The change may have been the hostile file's own.
    for (let body = ""; body !== color;) body = (await get(port)).body;
    await edge.controller.line(new RegExp(`hostile\\.yaml:?${problem.source}`), mark);
    assert.equal((await edge.get("/ready")).status, 200, what);
  }
  const { errors } = await edge.json("/config");
  assert.deepEqual(errors.map(({ file }: { file: string }) => file), ["hostile.yaml"]);
});

Deno.test("a controller that starts beside a hostile file serves the others", async () => {
  await using blue = textBackend("blue");
  const port = freePort();
  await using edge = await Edge.start({
    "all.yaml": documents(gateway("edge", port), backend("blue", blue.port), route("a", "blue")),
    "hostile.yaml": HOSTILE.slice(0, 3).map(([, text]) => text()).join("\n---\n"),
  });
  assert.equal((await get(port)).body, "blue");
  await edge.controller.line(/hostile\.yaml:1: a key must be a scalar/);
});
