import { GLOBAL, LATENCY_BOUNDS, SLOT } from "./counters.ts";
import { REASONS } from "./reasons.ts";

/** Figures that the main thread knows itself. */
export interface ProcessFigures {
  readonly workers: number;
  readonly workerDeaths: number;
  /** Bytes from the C library, 0 when they are not counted. */
  readonly nativeMemory: number;
  readonly logLinesDropped: number;
  readonly spans: { readonly exported: number; readonly dropped: number };
  readonly resources: number;
  readonly endpoints: {
    readonly endpoints: number;
    readonly unhealthy: number;
    readonly ejected: number;
    readonly breakersOpen: number;
  };
  /** End of validity by certificate, in milliseconds since 1970. */
  readonly certificateEnds: Iterable<[string, number]>;
}

const CLASS_NAMES = ["other", "1xx", "2xx", "3xx", "4xx", "5xx"];

/** Renders the shared counters in the Prometheus text format; a fixed number of series per listener. */
export function renderMetrics(
  regions: readonly Float64Array[],
  slots: ReadonlyMap<string, number>,
  figures: ProcessFigures,
): string {
  const sum = (offset: number) => regions.reduce((total, region) => total + region[offset], 0);
  const lines: string[] = [];
  const family = (name: string, type: string, help: string) =>
    lines.push(`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`);
  const names = slotNames(slots);

  family(
    "novaedge_http_requests_total",
    "counter",
    "Requests by listener and class of the answer.",
  );
  for (const [slot, listener] of names) {
    CLASS_NAMES.forEach((name, i) => {
      const value = sum(slot * SLOT.size + SLOT.classes + i);
      if (value > 0 || i > 1) {
        lines.push(`novaedge_http_requests_total{listener="${listener}",code="${name}"} ${value}`);
      }
    });
  }
  family(
    "novaedge_http_request_reasons_total",
    "counter",
    "Requests by why they were answered so.",
  );
  for (const [slot, listener] of names) {
    REASONS.forEach((reason, i) => {
      const value = sum(slot * SLOT.size + SLOT.reasons + i);
      if (value === 0) return;
      lines.push(
        `novaedge_http_request_reasons_total{listener="${listener}",reason="${reason}"} ${value}`,
      );
    });
  }
  family(
    "novaedge_http_request_duration_seconds",
    "histogram",
    "Time from request head to last byte.",
  );
  for (const [slot, listener] of names) {
    const base = slot * SLOT.size;
    let count = 0;
    LATENCY_BOUNDS.forEach((bound, i) => {
      count += sum(base + SLOT.latency + i);
      lines.push(
        `novaedge_http_request_duration_seconds_bucket{listener="${listener}",le="${
          bound / 1000
        }"} ${count}`,
      );
    });
    count += sum(base + SLOT.latency + LATENCY_BOUNDS.length);
    const label = `{listener="${listener}"}`;
    lines.push(
      `novaedge_http_request_duration_seconds_bucket{listener="${listener}",le="+Inf"} ${count}`,
      `novaedge_http_request_duration_seconds_sum${label} ${sum(base + SLOT.latencySum) / 1000}`,
      `novaedge_http_request_duration_seconds_count${label} ${count}`,
    );
  }
  const perListener: [string, string, string, number][] = [
    ["novaedge_http_request_bytes_total", "counter", "Request body bytes.", SLOT.bytesIn],
    ["novaedge_http_response_bytes_total", "counter", "Response body bytes.", SLOT.bytesOut],
    ["novaedge_connections_total", "counter", "Accepted connections.", SLOT.accepted],
    ["novaedge_connections_open", "gauge", "Open client connections.", SLOT.open],
    [
      "novaedge_tls_handshake_errors_total",
      "counter",
      "Failed TLS handshakes.",
      SLOT.handshakeErrors,
    ],
    [
      "novaedge_client_certificates_refused_total",
      "counter",
      "TLS connections closed because the client's certificate is missing or not accepted.",
      SLOT.refusedCertificates,
    ],
    ["novaedge_tls_handshakes_total", "counter", "Full TLS handshakes.", SLOT.handshakes],
    ["novaedge_tls_resumptions_total", "counter", "Resumed TLS sessions.", SLOT.resumptions],
    ["novaedge_http2_connections_total", "counter", "Connections that spoke HTTP/2.", SLOT.http2],
  ];
  for (const [name, type, help, offset] of perListener) {
    family(name, type, help);
    for (const [slot, listener] of names) {
      lines.push(`${name}{listener="${listener}"} ${sum(slot * SLOT.size + offset)}`);
    }
  }
  const single: [string, string, string, number][] = [
    [
      "novaedge_upstream_connects_total",
      "counter",
      "Connections opened to backends.",
      sum(GLOBAL.upstreamConnects),
    ],
    [
      "novaedge_upstream_connect_failures_total",
      "counter",
      "Connections that failed to open.",
      sum(GLOBAL.upstreamConnectFailures),
    ],
    [
      "novaedge_upstream_connections_open",
      "gauge",
      "Open connections to backends.",
      sum(GLOBAL.upstreamOpen),
    ],
    [
      "novaedge_upstream_reused_total",
      "counter",
      "Exchanges on a pooled connection.",
      sum(GLOBAL.upstreamReused),
    ],
    [
      "novaedge_upstream_resent_total",
      "counter",
      "Requests sent again on a fresh connection.",
      sum(GLOBAL.resent),
    ],
    [
      "novaedge_retries_total",
      "counter",
      "Requests sent again by a retry policy.",
      sum(GLOBAL.retries),
    ],
    [
      "novaedge_retry_budget_spent_total",
      "counter",
      "Retries left out because a policy's budget was used up.",
      sum(GLOBAL.retryBudgetSpent),
    ],
    [
      "novaedge_retries_refused_total",
      "counter",
      "Retries left out because a backend had too many at once.",
      sum(GLOBAL.retriesRefused),
    ],
    [
      "novaedge_ejections_total",
      "counter",
      "Endpoints taken out for errors in a row.",
      sum(GLOBAL.ejections),
    ],
    [
      "novaedge_breaker_opens_total",
      "counter",
      "Breakers of endpoints and backends that opened.",
      sum(GLOBAL.breakerOpens),
    ],
    [
      "novaedge_internal_errors_total",
      "counter",
      "Connections closed because of an exception in the dataplane's own code.",
      sum(GLOBAL.faults),
    ],
    ["novaedge_endpoints", "gauge", "Configured endpoints.", figures.endpoints.endpoints],
    [
      "novaedge_endpoints_unhealthy",
      "gauge",
      "Endpoints whose active check fails.",
      figures.endpoints.unhealthy,
    ],
    [
      "novaedge_endpoints_ejected",
      "gauge",
      "Endpoints that are taken out for what they answered.",
      figures.endpoints.ejected,
    ],
    [
      "novaedge_breakers_open",
      "gauge",
      "Breakers that are open or half open.",
      figures.endpoints.breakersOpen,
    ],
    [
      "novaedge_mirrored_total",
      "counter",
      "Copies of requests sent to mirrors.",
      sum(GLOBAL.mirrored),
    ],
    [
      "novaedge_mirror_failures_total",
      "counter",
      "Copies that no mirror answered.",
      sum(GLOBAL.mirrorFailures),
    ],
    [
      "novaedge_rate_limit_evicted_total",
      "counter",
      "Rate limit buckets that lost their place before they were full again.",
      sum(GLOBAL.bucketsEvicted),
    ],
    [
      "novaedge_rate_limit_fallbacks_total",
      "counter",
      "Requests counted by one gateway alone because Redis did not answer in time.",
      sum(GLOBAL.rateLimitFallbacks),
    ],
    [
      "novaedge_connections_refused_total",
      "counter",
      "Connections over the limit.",
      sum(GLOBAL.refusedConnections),
    ],
    [
      "novaedge_proxy_header_errors_total",
      "counter",
      "Connections ended for a missing or malformed PROXY header.",
      sum(GLOBAL.badProxyHeaders),
    ],
    [
      "novaedge_buffered_bytes",
      "gauge",
      "Bytes kept for peers slower than the other side.",
      sum(GLOBAL.buffered),
    ],
    [
      "novaedge_workers_shedding",
      "gauge",
      "Workers that refuse new requests to protect their memory.",
      sum(GLOBAL.shedding),
    ],
    [
      "novaedge_worker_heap_bytes",
      "gauge",
      "JavaScript heap of all workers.",
      sum(GLOBAL.heapUsed),
    ],
    [
      "novaedge_worker_external_bytes",
      "gauge",
      "Memory of all workers outside the JavaScript heap.",
      sum(GLOBAL.external),
    ],
    [
      "novaedge_native_memory_bytes",
      "gauge",
      "Memory from the C library, counted on the native transport.",
      figures.nativeMemory,
    ],
    ["novaedge_workers", "gauge", "Traffic workers.", figures.workers],
    ["novaedge_worker_deaths_total", "counter", "Traffic workers that died.", figures.workerDeaths],
    [
      "novaedge_access_log_dropped_total",
      "counter",
      "Log lines a slow sink cost.",
      figures.logLinesDropped + sum(GLOBAL.logDropped),
    ],
    [
      "novaedge_spans_exported_total",
      "counter",
      "Spans that the collector took.",
      figures.spans.exported,
    ],
    [
      "novaedge_spans_dropped_total",
      "counter",
      "Spans that the collector did not take.",
      figures.spans.dropped,
    ],
    ["novaedge_dataplane_resources", "gauge", "Configured resources.", figures.resources],
  ];
  for (const [name, type, help, value] of single) {
    family(name, type, help);
    lines.push(`${name} ${value}`);
  }
  family(
    "novaedge_certificate_expiry_timestamp_seconds",
    "gauge",
    "End of validity of each certificate that is presented.",
  );
  for (const [name, end] of figures.certificateEnds) {
    lines.push(
      `novaedge_certificate_expiry_timestamp_seconds{certificate="${name}"} ${end / 1000}`,
    );
  }
  return lines.join("\n") + "\n";
}

/** One label per slot: its listener, or "other" for the shared ones. */
function slotNames(slots: ReadonlyMap<string, number>): [number, string][] {
  const names = new Map<number, string>();
  for (const [listener, slot] of slots) names.set(slot, names.has(slot) ? "other" : listener);
  return [...names];
}
