import { credentials } from "@grpc/grpc-js";
import { DataplaneControlClient } from "../../proto/gen/novaedge/v1/distribution.ts";
import type { Edge } from "./edge.ts";

/** Series of the dataplane by name and labels. */
export class Metrics {
  readonly #series = new Map<string, number>();

  private constructor(text: string) {
    for (const line of text.split("\n")) {
      const space = line.lastIndexOf(" ");
      if (!line.startsWith("#") && space > 0) {
        this.#series.set(line.slice(0, space), Number(line.slice(space + 1)));
      }
    }
  }

  static async read(edge: Edge): Promise<Metrics> {
    return new Metrics(await (await edge.get("/metrics")).text());
  }

  /** Sum of a family over its labels. */
  sum(name: string): number {
    let sum = 0;
    for (const [series, value] of this.#series) {
      if (series === name || series.startsWith(`${name}{`)) sum += value;
    }
    return sum;
  }

  /** Values of a family by one of its labels, summed over the others. */
  by(name: string, label: string): Map<string, number> {
    const sums = new Map<string, number>();
    for (const [series, value] of this.#series) {
      if (!series.startsWith(`${name}{`)) continue;
      const found = new RegExp(`[{,]${label}="([^"]*)"`).exec(series)?.[1] ?? "";
      sums.set(found, (sums.get(found) ?? 0) + value);
    }
    return sums;
  }
}

/** Breaks a worker, or makes it collect its garbage. */
export async function injectFault(edge: Edge, worker: number, fault: string): Promise<void> {
  const client = new DataplaneControlClient(
    `unix:${edge.dataplaneSocket}`,
    credentials.createInsecure(),
  );
  try {
    await new Promise<void>((resolve, reject) =>
      client.injectFault(
        { worker, fault },
        (error) => error === null ? resolve() : reject(error),
      )
    );
  } finally {
    client.close();
  }
}

/** Open descriptors of a process. */
export function descriptorsOf(pid: number): number {
  return [...Deno.readDirSync(`/proc/${pid}/fd`)].length;
}
