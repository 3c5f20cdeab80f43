import type { Edge } from "../support/edge.ts";
import { pause } from "./dice.ts";
import { descriptorsOf, injectFault, Metrics } from "../support/metrics.ts";

export const WORKERS = 2;
/** Milliseconds until what has just ended has let go of its memory. */
const SETTLE = 500;
const MEGABYTE = 1 << 20;

/** What the dataplane holds at one moment, after a collection in every worker. */
export interface Sample {
  /** Minutes since the start. */
  readonly at: number;
  readonly heap: number;
  readonly external: number;
  /** Bytes from the C library, on the native transport. */
  readonly native: number;
  readonly descriptors: number;
  readonly connections: number;
  readonly upstream: number;
  readonly buffered: number;
}

/** Collects and reads; nothing should be in flight. */
export async function takeSample(edge: Edge, at: number): Promise<Sample> {
  await pause(SETTLE);
  // The second finds what finalizers of the first have let go.
  for (let round = 0; round < 2; round++) {
    for (let worker = 0; worker < WORKERS; worker++) await injectFault(edge, worker, "collect");
    await pause(SETTLE);
  }
  const metrics = await Metrics.read(edge);
  return {
    at,
    heap: metrics.sum("novaedge_worker_heap_bytes"),
    external: metrics.sum("novaedge_worker_external_bytes"),
    native: metrics.sum("novaedge_native_memory_bytes"),
    descriptors: descriptorsOf(edge.dataplane.process.pid),
    connections: metrics.sum("novaedge_connections_open"),
    upstream: metrics.sum("novaedge_upstream_connections_open"),
    buffered: metrics.sum("novaedge_buffered_bytes"),
  };
}

/** How memory moved over some samples, by a straight line through them. */
export interface Growth {
  readonly bytes: number;
  readonly fraction: number;
}

/** @param bytesOf what is looked at in a sample */
export function growthOf(samples: readonly Sample[], bytesOf: (sample: Sample) => number): Growth {
  const values = samples.map(bytesOf);
  const times = samples.map(({ at }) => at);
  const mean = (list: readonly number[]) => list.reduce((sum, v) => sum + v, 0) / list.length;
  const [middle, level] = [mean(times), mean(values)];
  const spread = mean(times.map((time) => (time - middle) ** 2));
  if (samples.length < 2 || spread === 0) return { bytes: 0, fraction: 0 };
  const slope = mean(times.map((time, i) => (time - middle) * (values[i] - level))) / spread;
  const bytes = slope * (times.at(-1)! - times[0]);
  return { bytes, fraction: level === 0 ? 0 : bytes / level };
}

/** Whether memory is flat: noise of a megabyte or of 5 % is no leak. */
export function isFlat({ bytes, fraction }: Growth): boolean {
  return bytes < MEGABYTE || fraction < 0.05;
}

export function megabytes(bytes: number): string {
  return (bytes / MEGABYTE).toFixed(2);
}
