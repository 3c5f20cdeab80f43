import type { SlowStart } from "../../proto/gen/novaedge/v1/config.ts";

/** Least share of its weight that a new endpoint has. */
const LEAST = 0.1;
/** Weights are whole numbers: one that grows is counted in these. */
export const WEIGHT_STEPS = 100;

/**
 * The weight of an endpoint that came, or became healthy, some milliseconds ago: grows to the whole within
 * the window (Envoy's slow start).
 */
export function slowWeight(weight: number, age: number, settings: SlowStart): number {
  const { windowMs, aggression } = settings;
  if (age >= windowMs) return weight * WEIGHT_STEPS;
  const share = Math.max(LEAST, (age / windowMs) ** (1 / aggression));
  return Math.max(1, Math.round(weight * WEIGHT_STEPS * share));
}
