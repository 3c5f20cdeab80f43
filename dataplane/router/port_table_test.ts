import assert from "node:assert/strict";
import fc from "fast-check";
import { anyEntry, anyRequest, entry, request, route } from "../../tests/support/route_builders.ts";
import { explain } from "./explain.ts";
import { ListenerTable, matchRoute, PLAIN_LISTENER, PortTable } from "./port_table.ts";
import { failedCondition, pathCovers } from "./predicates.ts";

const HOSTS = ["", "*.example.com", "a.example.com"];

Deno.test("the most specific listener serves a host alone, even without a route", () => {
  const port = new PortTable();
  const [wide, narrow] = [
    new ListenerTable("ns/gw/wide", PLAIN_LISTENER),
    new ListenerTable("ns/gw/narrow", PLAIN_LISTENER),
  ];
  port.setListener("", wide);
  port.setListener("a.example.com", narrow);
  wide.add(route(["a.example.com"], [entry({ kind: "prefix", path: "/" })]));
  assert.equal(port.resolve("A.Example.com:80").listener, narrow);
  assert.equal(matchRoute(port.resolve("a.example.com"), request("/")), null);
  assert.equal(port.resolve("b.example.com").listener, wide);
});

Deno.test("a host that no listener serves has no listener", () => {
  const port = new PortTable();
  port.setListener("*.example.com", new ListenerTable("ns/gw/l", PLAIN_LISTENER));
  assert.equal(port.resolve("example.com").listener, null);
  assert.equal(port.resolve("a.example.com.").listener?.key, "ns/gw/l");
});

Deno.test("routes of a more specific hostname come first, wider ones still serve the rest", () => {
  const port = new PortTable();
  const listener = new ListenerTable("ns/gw/l", PLAIN_LISTENER);
  port.setListener("", listener);
  const narrow = entry({ kind: "prefix", path: "/only" });
  const wide = entry({ kind: "exact", path: "/only" });
  const rest = entry({ kind: "prefix", path: "/" });
  listener.add(route(["a.example.com"], [narrow]));
  listener.add(route([""], [wide, rest]));
  const decision = port.resolve("a.example.com");
  assert.equal(matchRoute(decision, request("/only")), narrow);
  assert.equal(matchRoute(decision, request("/other")), rest);
});

Deno.test("remembered decisions follow changes once told", () => {
  const port = new PortTable();
  const listener = new ListenerTable("ns/gw/l", PLAIN_LISTENER);
  port.setListener("", listener);
  const added = route(["h"], [entry({ kind: "prefix", path: "/" })]);
  assert.equal(matchRoute(port.resolve("h"), request("/")), null);
  listener.add(added);
  port.changed();
  assert.notEqual(matchRoute(port.resolve("h"), request("/")), null);
  listener.remove(added);
  port.changed();
  assert.equal(matchRoute(port.resolve("h"), request("/")), null);
  assert.equal(port.resolve("h").tables.length, 0);
});

Deno.test("bug: a host longer than any DNS name is not remembered, a flood would keep its bytes", () => {
  const port = new PortTable();
  port.setListener("", new ListenerTable("ns/gw/l", PLAIN_LISTENER));
  assert.equal(port.resolve("h"), port.resolve("h"));
  const long = "h".repeat(60_000);
  assert.notEqual(port.resolve(long), port.resolve(long));
});

Deno.test("explain names the entry that traffic gets, and no other", () => {
  const tables = fc.array(
    fc.tuple(fc.constantFrom(...HOSTS), fc.array(anyEntry, { maxLength: 6 })),
    {
      maxLength: 4,
    },
  );
  fc.assert(
    fc.property(
      tables,
      anyRequest,
      fc.constantFrom("a.example.com", "x"),
      (routes, asked, host) => {
        const port = new PortTable();
        const listener = new ListenerTable("ns/gw/l", PLAIN_LISTENER);
        port.setListener("", listener);
        for (const [hostname, entries] of routes) listener.add(route([hostname], entries));
        const decision = port.resolve(host);
        const chosen = matchRoute(decision, asked);
        const told = explain(port, host, asked.path, asked);
        assert.equal(told.route, chosen === null ? null : chosen.rule.route);
        assert.equal(told.rule, chosen === null ? null : chosen.rule.index);
        const results = told.candidates.map(({ result }) => result);
        assert.equal(
          results.filter((result) => result === "chosen").length,
          chosen === null ? 0 : 1,
        );
        const entries = decision.tables.flatMap((table) => [...table.inOrder(asked.path)]);
        assert.equal(results.length, entries.length);
        const first = entries.findIndex((e) =>
          pathCovers(e, asked.path) && failedCondition(e, asked) === null
        );
        assert.equal(first, results.indexOf("chosen"), "the first that fits is the one chosen");
        results.forEach((result, i) => {
          const fits = pathCovers(entries[i], asked.path) &&
            failedCondition(entries[i], asked) === null;
          if (!fits) assert.match(result, / differs$/);
        });
      },
    ),
  );
});

Deno.test("explain says why there is no route: path refused, no listener, nothing matches", () => {
  const port = new PortTable();
  assert.match(explain(port, "h", "/%00", request("")).reason, /^400: .*nul/);
  assert.match(explain(port, "h", "/", request("")).reason, /^404: no listener/);
  port.setListener("", new ListenerTable("ns/gw/l", PLAIN_LISTENER));
  assert.match(explain(port, "h", "/a//../b", request("")).reason, /^404: no route/);
});

Deno.test("bug: explain says that a closed listener answers 500", () => {
  const port = new PortTable();
  const listener = new ListenerTable("ns/gw/l", {
    ...PLAIN_LISTENER,
    closedReason: "certificate missing",
  });
  port.setListener("", listener);
  listener.add(route([""], [entry({ kind: "prefix", path: "/" })]));
  assert.match(explain(port, "h", "/", request("")).reason, /^500: certificate missing/);
});
