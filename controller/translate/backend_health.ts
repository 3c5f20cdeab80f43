import type { ProxyBackend } from "../../api/proxy_backend.ts";
import { milliseconds } from "../../api/schema.ts";
import {
  Breaker,
  HealthCheck,
  HealthCheckType,
  OutlierDetection,
  SlowStart,
  type StatusRange,
} from "../../proto/gen/novaedge/v1/config.ts";

type Spec = ProxyBackend["spec"];

const TYPES: Readonly<Record<string, HealthCheckType>> = {
  TCP: HealthCheckType.HEALTH_CHECK_TYPE_TCP,
  HTTP: HealthCheckType.HEALTH_CHECK_TYPE_HTTP,
  gRPC: HealthCheckType.HEALTH_CHECK_TYPE_GRPC,
};

/** How the endpoints are asked how they are; undefined for not at all. */
export function healthCheckOf({ healthCheck: check }: Spec): HealthCheck | undefined {
  if (check === undefined) return undefined;
  const type = check.type ?? (check.httpPath === undefined ? "TCP" : "HTTP");
  return HealthCheck.create({
    type: TYPES[type],
    intervalMs: milliseconds(check.interval ?? "10s"),
    timeoutMs: milliseconds(check.timeout ?? "5s"),
    healthyThreshold: check.healthyThreshold ?? 2,
    unhealthyThreshold: check.unhealthyThreshold ?? 3,
    port: check.port ?? 0,
    method: check.method ?? "GET",
    path: check.httpPath ?? "/",
    host: check.host ?? "",
    statuses: (check.expectedStatuses ?? ["200-299"]).map(statusRange),
    body: check.expectedBody ?? "",
    grpcService: check.grpcService ?? "",
    plain: check.plain === true,
  });
}

function statusRange(text: string): StatusRange {
  const [first, last = first] = text.split("-").map(Number);
  return { first, last };
}

/** For which answers endpoints are taken out; undefined for none. */
export function outlierDetectionOf({ outlierDetection: out }: Spec): OutlierDetection | undefined {
  if (out === undefined) return undefined;
  return OutlierDetection.create({
    intervalMs: milliseconds(out.interval ?? "10s"),
    consecutive5xx: out.consecutive5xxThreshold ?? 5,
    consecutiveGateway: out.consecutiveGatewayErrors ?? 0,
    baseEjectionMs: milliseconds(out.baseEjectionDuration ?? "30s"),
    maxEjectionMs: milliseconds(out.maxEjectionDuration ?? "300s"),
    maxPercent: out.maxEjectionPercent ?? 50,
    successHosts: out.successRateMinHosts ?? 5,
    successRequests: out.successRateMinRequests ?? 100,
    successFactor: Number(out.successRateStdevFactor ?? "1.9"),
  });
}

/** When sending stops; undefined for never. */
export function breakerOf({ circuitBreaker }: Spec): Breaker | undefined {
  if (circuitBreaker === undefined) return undefined;
  return Breaker.create({
    consecutive: circuitBreaker.consecutiveFailures ?? 5,
    ratePercent: circuitBreaker.failureRatePercent ?? 0,
    minimumRequests: circuitBreaker.minimumRequests ?? 20,
    intervalMs: milliseconds(circuitBreaker.interval ?? "10s"),
    openMs: milliseconds(circuitBreaker.baseEjectionTime ?? "30s"),
  });
}

/** How new endpoints begin; undefined for at once. */
export function slowStartOf({ slowStart }: Spec): SlowStart | undefined {
  if (slowStart === undefined) return undefined;
  return SlowStart.create({
    windowMs: milliseconds(slowStart.window),
    aggression: Number(slowStart.aggression ?? "1.0") || 1,
  });
}
