import type { Edge } from "../support/edge.ts";
import { pause } from "./dice.ts";
import type { Ledger } from "./ledger.ts";
import { Metrics } from "../support/metrics.ts";
import { growthOf, isFlat, megabytes, type Sample, takeSample } from "./samples.ts";

/** Milliseconds that the edge has to let go of everything: its idle timeouts, and a margin. */
const PATIENCE = 30_000;
/** Descriptors that may come and go beside traffic: the agent's connections to the control socket. */
const OTHER_DESCRIPTORS = 4;

/** Waits until nothing is open any more; what stays open is seen in the sample. */
export async function restingSample(edge: Edge, at: number): Promise<Sample> {
  const end = performance.now() + PATIENCE;
  for (;;) {
    const metrics = await Metrics.read(edge);
    const open = metrics.sum("novaedge_connections_open") +
      metrics.sum("novaedge_upstream_connections_open") + metrics.sum("novaedge_buffered_bytes");
    if (open === 0 || performance.now() > end) return await takeSample(edge, at);
    await pause(500);
  }
}

/** No request is open: connections may stay, bytes that were kept for a request may not. */
export function checkStill({ at, buffered }: Sample, ledger: Ledger): void {
  if (buffered !== 0) {
    ledger.violate(`${buffered} bytes are buffered at rest, minute ${at.toFixed(1)}`);
  }
}

/** All clients have left: nothing may be open, and nothing may have grown. */
export function checkRest(before: Sample, after: Sample, ledger: Ledger): void {
  if (after.connections !== 0) ledger.violate(`${after.connections} client connections are open`);
  if (after.upstream !== 0) ledger.violate(`${after.upstream} upstream connections are open`);
  if (after.buffered !== 0) ledger.violate(`${after.buffered} bytes are buffered`);
  if (after.descriptors > before.descriptors + OTHER_DESCRIPTORS) {
    ledger.violate(`${before.descriptors} descriptors became ${after.descriptors}`);
  }
}

/** Memory over the last half must be flat; the words of the report. */
export function checkMemory(samples: readonly Sample[], ledger: Ledger): string {
  const half = samples.filter(({ at }) => at >= samples.at(-1)!.at / 2);
  const judged = (what: string, bytesOf: (sample: Sample) => number) => {
    const growth = growthOf(half, bytesOf);
    const text = `${megabytes(growth.bytes)} MB (${(growth.fraction * 100).toFixed(1)} %)`;
    if (!isFlat(growth)) ledger.violate(`${what} grew by ${text}`);
    return `${what} ${text}`;
  };
  const texts = [judged("heap and external", ({ heap, external }) => heap + external)];
  if (half.some(({ native }) => native > 0)) texts.push(judged("native", ({ native }) => native));
  return `${texts.join(", ")} over the last half`;
}

/** Reasons that this traffic gives the edge no cause for. */
export function checkReasons(reasons: ReadonlyMap<string, number>, ledger: Ledger): void {
  for (const [reason, count] of reasons) {
    if (!CAUSED.has(reason)) ledger.violate(`${count} requests ended for ${reason}`);
  }
}

const CAUSED = new Set([
  ...["ok", "client_gone", "tunnel_ended", "upstream_reset", "upstream_refused"],
  "connect_failed",
]);
