import assert from "node:assert/strict";
import fc from "fast-check";
import { HealthCheck } from "../../proto/gen/novaedge/v1/config.ts";
import { grpcProblem, grpcRequest, httpProblem } from "./probe.ts";
import { Thresholds } from "./thresholds.ts";

Deno.test("the first result counts at once, later changes take a row of results", () => {
  const thresholds = new Thresholds(2, 3);
  const take = (...results: boolean[]) => results.map((good) => thresholds.add(good));
  assert.equal(thresholds.verdict, "unknown");
  assert.deepEqual(take(false), [true]);
  assert.equal(thresholds.verdict, "unhealthy");
  assert.deepEqual(take(true, false, true, true), [false, false, false, true]);
  assert.deepEqual(take(false, false, true, false, false, false), [
    ...[false, false, false, false, false, true],
  ]);
});

Deno.test("a verdict changes only with as many results in a row as its threshold says", () => {
  fc.assert(fc.property(
    fc.integer({ min: 1, max: 4 }),
    fc.integer({ min: 1, max: 4 }),
    fc.array(fc.boolean(), { maxLength: 40 }),
    (up, down, results) => {
      const thresholds = new Thresholds(up, down);
      results.forEach((good, i) => {
        const before = thresholds.verdict;
        if (!thresholds.add(good) || before === "unknown") return;
        const needed = good ? up : down;
        assert.deepEqual(results.slice(i + 1 - needed, i + 1), new Array(needed).fill(good));
      });
    },
  ));
});

Deno.test("HTTP: statuses and text that are expected", () => {
  const check = HealthCheck.fromPartial({
    statuses: [{ first: 200, last: 204 }, { first: 301, last: 301 }],
    body: "f\u00efne",
  });
  const body = "all is f\u00c3\u00afne here";
  assert.equal(httpProblem(check, { status: 204, body }), "");
  assert.equal(httpProblem(check, { status: 301, body }), "");
  assert.equal(httpProblem(check, { status: 205, body }), "status 205");
  assert.match(httpProblem(check, { status: 200, body: "fine" }), /expected text/);
});

Deno.test("gRPC: what is sent and what counts as serving", () => {
  assert.deepEqual([...grpcRequest("")], [0, 0, 0, 0, 0]);
  assert.deepEqual([...grpcRequest("ab")], [0, 0, 0, 0, 4, 0x0a, 2, 97, 98]);
  assert.deepEqual([...grpcRequest("a".repeat(200))].slice(0, 8), [0, 0, 0, 0, 203, 0x0a, 200, 1]);
  const answer = (body: number[], trailers: string, fields: [string, string][] = []) =>
    grpcProblem({ status: 200, fields, body: String.fromCharCode(...body), cut: false, trailers });
  const ok = "grpc-status: 0\r\n";
  assert.equal(answer([0, 0, 0, 0, 2, 8, 1], ok), "");
  assert.equal(answer([0, 0, 0, 0, 2, 8, 2], ok), "not serving");
  assert.equal(answer([0, 0, 0, 0, 0], ok), "not serving");
  assert.equal(answer([], "", [["grpc-status", "5"]]), "grpc-status 5");
  assert.equal(answer([0, 0, 0, 0, 2, 8, 1], ""), "grpc-status missing");
});
