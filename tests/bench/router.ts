import { Route } from "../../proto/gen/novaedge/v1/config.ts";
import { PathMatchType } from "../../proto/gen/novaedge/v1/config.ts";
import { compileRoute } from "../../dataplane/router/compile.ts";
import type { RouteRequest } from "../../dataplane/router/compiled.ts";
import {
  ListenerTable,
  matchRoute,
  PLAIN_LISTENER,
  PortTable,
} from "../../dataplane/router/port_table.ts";
import { print } from "./print.ts";
import { median, shown } from "./statistics.ts";
import { table } from "./table.ts";

/** Routes of one host, each with a prefix of its own. */
const ROUTES = [100, 1_000, 10_000];
/** Segments of the path that is asked for. */
const DEPTHS = [2, 4, 8];
const LOOKUPS = 200_000;
const ROUNDS = 7;

/** Nanoseconds of one lookup. */
export interface RouterFigure {
  readonly routes: number;
  readonly depth: number;
  readonly nanoseconds: number;
}

function request(path: string): RouteRequest {
  return {
    method: "GET",
    path,
    query: "",
    header: () => null,
    clientAddress: () => "192.0.2.1",
  };
}

function port(routes: number): PortTable {
  const listener = new ListenerTable("bench", PLAIN_LISTENER);
  for (let i = 0; i < routes; i++) {
    listener.add(compileRoute(
      `bench/r${i}`,
      Route.fromPartial({
        hostnames: ["bench.test"],
        rules: [{
          matches: [{
            path: { type: PathMatchType.PATH_MATCH_TYPE_PREFIX, value: `/team-${i % 100}/r${i}` },
          }],
        }],
      }),
    ));
  }
  const out = new PortTable();
  out.setListener("", listener);
  return out;
}

/** Measures lookups of paths that some route covers. */
export function runRouter(): RouterFigure[] {
  const figures: RouterFigure[] = [];
  for (const routes of ROUTES) {
    const decision = port(routes).decide("bench.test");
    for (const depth of DEPTHS) {
      const requests = Array.from({ length: 1_000 }, (_, i) => {
        const route = (i * 7919) % routes;
        const rest = "/x".repeat(depth - 2);
        return request(`/team-${route % 100}/r${route}${rest}`);
      });
      const rounds: number[] = [];
      for (let round = 0; round <= ROUNDS; round++) {
        const begin = performance.now();
        for (let i = 0; i < LOOKUPS; i++) {
          if (matchRoute(decision, requests[i % requests.length]) === null) {
            throw new Error("a path was not found");
          }
        }
        if (round > 0) rounds.push((performance.now() - begin) * 1e6 / LOOKUPS);
      }
      figures.push({ routes, depth, nanoseconds: median(rounds) });
    }
  }
  return figures;
}

/** Prints the figures. */
export function reportRouter(figures: readonly RouterFigure[]): void {
  print();
  print("router: one lookup among the prefixes of one host, in nanoseconds");
  const rows = ROUTES.map((routes) => [
    `${routes}`,
    ...DEPTHS.map((depth) =>
      shown(figures.find((f) => f.routes === routes && f.depth === depth)!.nanoseconds, 0)
    ),
  ]);
  print(table([["routes", ...DEPTHS.map((depth) => `${depth} segments`)], ...rows]));
}
