import { Counter, Registry } from "prom-client";
import { collectProcessMetrics, gauge } from "../common/process_metrics.ts";

/** Gauges, read on each scrape, and their help texts. */
const GAUGES = {
  novaedge_agent_controller_connected: "1 while connected to the controller.",
  novaedge_agent_dataplane_connected: "1 while connected to the dataplane.",
  novaedge_agent_resources: "Resources held.",
  novaedge_agent_listeners_down: "Listeners that the dataplane could not open.",
  novaedge_config_errors: "Problems of the source.",
} as const;

/** What the agent counts and shows of itself. */
export interface AgentMetrics {
  readonly registry: Registry;
  readonly deltas: Counter;
  readonly refusals: Counter;
}

/** @param values of the gauges now */
export function agentMetrics(
  values: Readonly<Record<keyof typeof GAUGES, () => number>>,
): AgentMetrics {
  const registry = new Registry();
  collectProcessMetrics(registry, "agent");
  for (const [name, value] of Object.entries(values)) {
    gauge(registry, name, GAUGES[name as keyof typeof GAUGES], value);
  }
  return {
    registry,
    deltas: new Counter({
      name: "novaedge_agent_deltas_total",
      help: "Deltas applied.",
      registers: [registry],
    }),
    refusals: new Counter({
      name: "novaedge_agent_refusals_total",
      help: "Resources the dataplane refused.",
      registers: [registry],
    }),
  };
}
