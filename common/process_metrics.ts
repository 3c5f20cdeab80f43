import { Gauge, type Registry } from "prom-client";
import { VERSION } from "./version.ts";

/** Registers a gauge whose value is read on each scrape. */
export function gauge(registry: Registry, name: string, help: string, value: () => number): void {
  new Gauge({
    name,
    help,
    registers: [registry],
    collect() {
      this.set(value());
    },
  });
}

/**
 * Versions and memory of this process; the runtime's default collectors would need to read /proc.
 * @param program its name, as "agent"
 */
export function collectProcessMetrics(registry: Registry, program: string): void {
  new Gauge({
    name: "novaedge_build_info",
    help: "1, with the versions of the program and of the runtime.",
    labelNames: ["program", "version", "deno"],
    registers: [registry],
  }).set({ program, version: VERSION, deno: Deno.version.deno }, 1);
  const figures = ["rss", "heapUsed", "heapTotal", "external"] as const;
  const names = {
    rss: "process_resident_memory_bytes",
    heapUsed: "process_heap_used_bytes",
    heapTotal: "process_heap_total_bytes",
    external: "process_external_memory_bytes",
  };
  for (const figure of figures) {
    const value = () => Deno.memoryUsage()[figure];
    gauge(registry, names[figure], `Memory of the process: ${figure}.`, value);
  }
}
