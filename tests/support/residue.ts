import type { Edge } from "./edge.ts";
import { descriptorsOf, injectFault, Metrics } from "./metrics.ts";

/** Milliseconds after which gauges that do not come down are taken as they are. */
const GUARD = 5_000;

/** What an attack has left behind. */
export interface Gauges {
  readonly connections: number;
  readonly upstream: number;
  readonly buffered: number;
  readonly descriptors: number;
}

async function gauges(edge: Edge): Promise<Gauges> {
  const metrics = await Metrics.read(edge);
  return {
    connections: metrics.sum("novaedge_connections_open"),
    upstream: metrics.sum("novaedge_upstream_connections_open"),
    buffered: metrics.sum("novaedge_buffered_bytes"),
    descriptors: descriptorsOf(edge.dataplane.process.pid),
  };
}

/**
 * Heap and external memory of the only worker after collections: at most `most`, or as it is after a long
 * time. `serve` ends when the worker has served somebody.
 */
export async function collected(
  edge: Edge,
  serve: () => Promise<void>,
  most: number,
): Promise<number> {
  const end = performance.now() + GUARD;
  for (let times = 1;; times++) {
    await injectFault(edge, 0, "collect");
    await serve();
    const metrics = await Metrics.read(edge);
    const memory = metrics.sum("novaedge_worker_heap_bytes") +
      metrics.sum("novaedge_worker_external_bytes");
    // The second finds what finalizers of the first have let go.
    if ((times >= 2 && memory <= most) || performance.now() > end) return memory;
  }
}

/** The gauges once nothing of an attack is left, or as they are after a long time. */
export async function settled(edge: Edge, connections: number): Promise<Gauges> {
  const end = performance.now() + GUARD;
  for (;;) {
    const now = await gauges(edge);
    const clean = now.connections === connections && now.upstream <= connections &&
      now.buffered === 0;
    if (clean || performance.now() > end) return now;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
