import { countRequest } from "../observe/counters.ts";
import { type Reason, REASON_INDEX } from "../observe/reasons.ts";
import type { Engine, PortRuntime } from "./engine.ts";
import type { Span, Trace } from "../observe/trace.ts";
import type { Routing } from "./routing.ts";

/** What is known of a request when it ends. */
export interface Finished {
  readonly routing: Routing;
  readonly client: string;
  readonly requestId: string;
  /** `clock.now()` of its start. */
  readonly startedAt: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** Tries at a backend. */
  readonly attempts: number;
  /** What the backend did, in words, where the reason does not say it. */
  readonly detail: string;
  readonly protocol: string;
  readonly tlsVersion: string;
  readonly userAgent: string;
  readonly referer: string;
  /** Milliseconds until the backend's response began, -1 without one. */
  readonly upstreamTime: number;
  readonly trace: Trace | null;
}

/** Counts a request that is over and writes its log line. */
export function record(
  engine: Engine,
  port: PortRuntime,
  request: Finished,
  status: number,
  reason: Reason,
): void {
  const { counters, accessLog, timeOrigin } = engine;
  engine.requests++;
  const { routing, bytesIn, bytesOut } = request;
  const now = engine.clock.now();
  const milliseconds = now - request.startedAt;
  const listener = routing.decision.listener === null ? null : routing.decision.listener.key;
  const slot = port.slotOf(listener);
  countRequest(counters, slot, status, REASON_INDEX[reason], milliseconds, bytesIn, bytesOut);
  if (engine.spans !== null && request.trace?.sampled === true) {
    engine.spans.add(spanOf(request, request.trace, status, reason, timeOrigin, now));
  }
  if (!accessLog.enabled || !port.logs(routing.decision)) return;
  accessLog.add({
    listener: listener ?? "",
    method: routing.method,
    host: routing.host,
    path: routing.rawPath,
    route: routing.rule === null ? "" : routing.rule.route,
    upstream: routing.endpoint === null ? "" : routing.endpoint.label,
    client: request.client,
    requestId: request.requestId,
    attempts: request.attempts,
    detail: request.detail,
    protocol: request.protocol,
    tls: request.tlsVersion,
    userAgent: request.userAgent,
    referer: request.referer,
    upstreamTime: request.upstreamTime,
    traceId: request.trace === null ? "" : request.trace.traceId,
    status,
    reason,
    bytesIn,
    bytesOut,
    milliseconds,
  }, timeOrigin + now);
}

/** The request as a span, by the names of OpenTelemetry's conventions for HTTP. */
function spanOf(
  { routing, client, startedAt, attempts }: Finished,
  { traceId, spanId, parentId }: Trace,
  status: number,
  reason: Reason,
  timeOrigin: number,
  now: number,
): Span {
  const { rule, backend, endpoint, method, host, rawPath } = routing;
  return {
    traceId,
    spanId,
    parentId,
    name: rule === null ? method : `${method} ${rule.route}`,
    start: timeOrigin + startedAt,
    end: timeOrigin + now,
    status,
    attributes: {
      "http.request.method": method,
      "url.path": rawPath,
      "server.address": host,
      "client.address": client,
      "http.response.status_code": status,
      "http.request.resend_count": attempts - 1,
      "novaedge.reason": reason,
      "novaedge.route": rule === null ? "" : rule.route,
      "novaedge.backend": backend === null ? "" : backend.name,
      "novaedge.endpoint": endpoint === null ? "" : endpoint.label,
    },
  };
}
