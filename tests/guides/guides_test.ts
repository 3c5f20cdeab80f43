import assert from "node:assert/strict";
import { join } from "node:path";
import { echo } from "../../standalone/demo/echo.ts";
import { Edge } from "../support/edge.ts";
import { printsAsShown, readGuide } from "./guide.ts";
import { Ports, tryExample } from "./playground.ts";

const GUIDES = join(import.meta.dirname!, "../../docs/guides");
/** Backends that the guides start; other ports of theirs answer nobody. */
const BACKENDS = ["9001", "9002"];

const BAD_WHEN_TRUE = new Set(["UnsupportedField", "Conflicted", "PartiallyInvalid"]);

for (const { name } of [...Deno.readDirSync(GUIDES)].sort((a, b) => a.name < b.name ? -1 : 1)) {
  Deno.test(`docs/guides/${name}: its resources are accepted, its commands print what it shows`, async (t) => {
    const guide = readGuide(await Deno.readTextFile(join(GUIDES, name)));
    assert.ok(guide.examples.length > 0);
    const ports = new Ports();
    const backends = BACKENDS.map((shown) =>
      Deno.serve(
        { hostname: "127.0.0.1", port: ports.of(shown), onListen() {} },
        (request) => echo(request, Number(shown)),
      )
    );
    await using edge = await Edge.start({ "guide.yaml": ports.inYaml(guide.resources) });
    const { errors, objects } = await edge.json("/config");
    assert.deepEqual(errors, []);
    for (const object of objects) {
      const conditions = [object, ...object.listeners, ...object.parents].flatMap((part) =>
        part.conditions
      );
      for (const { type, status, message } of conditions) {
        const good = BAD_WHEN_TRUE.has(type) ? !status : status;
        assert.ok(good, `${object.name}: ${type}: ${message}`);
      }
    }
    for (const example of guide.examples) {
      await t.step(example.command, () => tryExample(example, ports));
    }
    await Promise.all(backends.map((backend) => backend.shutdown()));
  });
}

Deno.test("a guide's output is compared line by line, with room where it says so", () => {
  const lines = ["a", "b", "c", "d"];
  const cases: [string[], boolean][] = [
    [["a", "b", "c", "d"], true],
    [["a", "b", "c"], false],
    [["a", "..."], true],
    [["...", "c", "d"], true],
    [["a", "...", "c", "..."], true],
    [["a", "...", "b", "d"], false],
    [["b", "..."], false],
    [["a", "...", "x"], false],
  ];
  for (const [expected, fits] of cases) {
    assert.equal(printsAsShown(lines, expected), fits, expected.join());
  }
});
