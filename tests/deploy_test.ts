/** What deploy/ says of metrics is true of the metrics that there are. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { parse } from "yaml";
import { agentMetrics } from "../agent/metrics.ts";
import { VERSION } from "../common/version.ts";
import { countersOf, countersSize, LISTENER_SLOTS } from "../dataplane/observe/counters.ts";
import { renderMetrics } from "../dataplane/observe/prometheus.ts";
import { REASONS } from "../dataplane/observe/reasons.ts";

const DEPLOY = join(import.meta.dirname!, "../deploy");
const FIGURES = {
  workers: 1,
  nativeMemory: 0,
  workerDeaths: 0,
  logLinesDropped: 0,
  spans: { exported: 0, dropped: 0 },
  resources: 0,
  certificateEnds: [],
  endpoints: { endpoints: 0, unhealthy: 0, ejected: 0, breakersOpen: 0 },
};

/** Names of all families that dataplane and agent show. */
const FAMILIES: ReadonlySet<string> = await (async () => {
  const region = countersOf(new SharedArrayBuffer(countersSize(1)), 0).fill(1);
  const { registry } = agentMetrics({
    novaedge_agent_controller_connected: () => 1,
    novaedge_agent_dataplane_connected: () => 1,
    novaedge_agent_resources: () => 1,
    novaedge_agent_listeners_down: () => 1,
    novaedge_config_errors: () => 1,
  });
  const text = renderMetrics([region], new Map([["l", 0]]), FIGURES) + await registry.metrics();
  return new Set(Array.from(text.matchAll(/^# TYPE (\w+)/gm), ([, name]) => name));
})();

function unknown(text: string): string[] {
  return Array.from(text.matchAll(/\bnovaedge_\w+/g), ([name]) => name)
    .filter((name) =>
      !FAMILIES.has(name) && !FAMILIES.has(name.replace(/_(bucket|sum|count)$/, ""))
    );
}

Deno.test("the dashboard asks for metrics that there are", async () => {
  const text = await Deno.readTextFile(join(DEPLOY, "grafana/novaedge.json"));
  const { panels } = JSON.parse(text);
  assert.ok(panels.length > 10);
  for (const { targets } of panels) {
    for (const { expr } of targets) assert.deepEqual(unknown(expr), [], expr);
  }
});

Deno.test("the alerts ask for metrics and reasons that there are", async () => {
  const text = await Deno.readTextFile(join(DEPLOY, "prometheus/alerts.yaml"));
  const { groups: [{ rules }] } = parse(text);
  assert.ok(rules.length > 5);
  for (const { alert, expr, annotations } of rules) {
    assert.ok(annotations.summary.length > 10, alert);
    assert.deepEqual(unknown(expr), [], alert);
    for (const [, list] of expr.matchAll(/reason=~?"([\w|]+)"/g)) {
      for (const reason of list.split("|")) assert.ok(REASONS.includes(reason), reason);
    }
  }
});

Deno.test("the manifests name the image of this version", async () => {
  const images: string[] = [];
  for (const name of ["controller", "node"]) {
    const text = await Deno.readTextFile(join(DEPLOY, `kubernetes/${name}.yaml`));
    images.push(...Array.from(text.matchAll(/^ *image: (.*)$/gm), ([, image]) => image));
  }
  assert.deepEqual(images, new Array(3).fill(`novaedge:${VERSION}`));
});

Deno.test("fewer than 1,000 series by default, however many routes there are", () => {
  const region = countersOf(new SharedArrayBuffer(countersSize(1)), 0);
  // One listener of each of four ports, every class and a dozen reasons seen: as much as a large site has.
  const slots = new Map(Array.from({ length: 4 }, (_, i) => [`gateway/listener-${i}`, i]));
  region.fill(0);
  const text = renderMetrics([region], slots, FIGURES);
  const fixed = text.split("\n").filter((line) => line !== "" && !line.startsWith("#")).length;
  assert.ok(fixed + 4 * REASONS.length < 1_000, `${fixed} series and the reasons`);
  assert.ok(slots.size < LISTENER_SLOTS);
});
