import { Gauge, type Registry } from "prom-client";

/** Memory figures of this process; the runtime's default collectors would need to read /proc. */
export function collectProcessMetrics(registry: Registry): void {
  const figures = ["rss", "heapUsed", "heapTotal", "external"] as const;
  const names = {
    rss: "process_resident_memory_bytes",
    heapUsed: "process_heap_used_bytes",
    heapTotal: "process_heap_total_bytes",
    external: "process_external_memory_bytes",
  };
  for (const figure of figures) {
    new Gauge({
      name: names[figure],
      help: `Memory of the process: ${figure}.`,
      registers: [registry],
      collect() {
        this.set(Deno.memoryUsage()[figure]);
      },
    });
  }
}
