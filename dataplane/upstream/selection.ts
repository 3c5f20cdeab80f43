import { type EndpointTable, Health, NO_SLOT, TIME, WORD } from "./endpoint_table.ts";

/** An endpoint as selection sees it. */
export interface Selectable {
  readonly slot: number;
  /** As configured. */
  readonly configuredWeight: number;
  readonly zone: string;
  readonly priority: number;
  /** Whether it counts as healthy before its first check. */
  readonly ready: boolean;
}

/** What selection goes by. */
export interface SelectionSettings {
  readonly checked: boolean;
  readonly ejects: boolean;
  /** When something may be sent to a slot: 0 for at once, or a time; null without breakers. */
  readonly opensAt: ((slot: number) => number) | null;
  /** Percentage of usable endpoints below which all are used. */
  readonly panicPercent: number;
  /** The node's zone where endpoints of it come first, else "". */
  readonly zone: string;
}

/** Endpoints that share the requests that come to them. */
export interface Tier<T> {
  readonly endpoints: readonly T[];
  /** Share of all requests, 0 to 1; the shares of all tiers are 1 together. */
  readonly share: number;
}

/** Who may be used now. */
export interface Selection<T> {
  /** The preferred first; none when nobody may be used. */
  readonly tiers: readonly Tier<T>[];
  /** Why nobody may be used. */
  readonly reason: "no_endpoints" | "unhealthy" | "breaker_open";
  /** Time from which on the answer may be another although nothing else changes. */
  readonly validUntil: number;
}

/** A tier with this share of its endpoints usable still takes all requests (Envoy's 140 %). */
const OVERPROVISIONING = 1.4;

/** Finds who may be used, by health, ejection, breakers, priority and zone. */
export function select<T extends Selectable>(
  endpoints: readonly T[],
  table: EndpointTable,
  settings: SelectionSettings,
  now: number,
): Selection<T> {
  const all = endpoints.filter(({ configuredWeight }) => configuredWeight > 0);
  let validUntil = Infinity;
  const states = new Map<T, { out: boolean; open: boolean }>();
  const healthy: T[] = [];
  const unknown: T[] = [];
  for (const endpoint of all) {
    const { slot, ready } = endpoint;
    const state = { out: false, open: false };
    states.set(endpoint, state);
    if (slot === NO_SLOT) {
      healthy.push(endpoint);
      continue;
    }
    const health = settings.checked ? table.get(slot, WORD.health) : Health.Good;
    if (health === Health.Bad) continue;
    (health === Health.Good || ready ? healthy : unknown).push(endpoint);
    const ejectedUntil = settings.ejects ? table.time(slot, TIME.ejectedUntil) : 0;
    if (ejectedUntil > now) {
      state.out = true;
      validUntil = Math.min(validUntil, ejectedUntil);
    }
    const opensAt = settings.opensAt === null ? 0 : settings.opensAt(slot);
    if (opensAt > now) {
      state.open = true;
      validUntil = Math.min(validUntil, opensAt);
    }
  }
  // Who has not been asked yet is used where nobody is known to be well.
  const well = healthy.length > 0 ? healthy : unknown;
  const closed = well.filter((endpoint) => !states.get(endpoint)!.open);
  const inside = closed.filter((endpoint) => !states.get(endpoint)!.out);
  // Ejections alone never leave nobody.
  let usable = inside.length > 0 ? inside : closed;
  if (settings.panicPercent > 0 && usable.length * 100 < settings.panicPercent * all.length) {
    usable = all;
  }
  const reason = all.length === 0
    ? "no_endpoints"
    : well.length === 0
    ? "unhealthy"
    : "breaker_open";
  return { tiers: tiersOf(usable, all, settings.zone), reason, validUntil };
}

/** Shares out requests: each tier takes what its usable endpoints can, the rest goes to those behind it. */
function tiersOf<T extends Selectable>(
  usable: readonly T[],
  all: readonly T[],
  zone: string,
): Tier<T>[] {
  const rank = (endpoint: T) =>
    endpoint.priority * 2 + (zone !== "" && endpoint.zone !== zone ? 1 : 0);
  const totals = new Map<number, number>();
  for (const endpoint of all) totals.set(rank(endpoint), (totals.get(rank(endpoint)) ?? 0) + 1);
  const groups = new Map<number, T[]>();
  for (const endpoint of usable) {
    const group = groups.get(rank(endpoint));
    if (group === undefined) groups.set(rank(endpoint), [endpoint]);
    else group.push(endpoint);
  }
  const ordered = [...groups].sort(([a], [b]) => a - b);
  const able = ordered.map(([key, group]) =>
    Math.min(1, OVERPROVISIONING * group.length / totals.get(key)!)
  );
  // Together too few: each takes its part of the whole.
  const together = Math.min(1, able.reduce((sum, share) => sum + share, 0));
  let left = 1;
  const tiers: Tier<T>[] = [];
  ordered.forEach(([, group], i) => {
    const share = Math.min(left, able[i] / together);
    left -= share;
    if (share > 0) tiers.push({ endpoints: group, share });
  });
  return tiers;
}
