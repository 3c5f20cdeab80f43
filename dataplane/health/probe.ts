import { Buffer } from "node:buffer";
import { type HealthCheck, HealthCheckType } from "../../proto/gen/novaedge/v1/config.ts";
import type { BackendTransport } from "../upstream/backend_transport.ts";
import { EndpointPool } from "../upstream/endpoint_pool.ts";
import { Opening } from "../upstream/opening.ts";
import type { PoolContext } from "../upstream/pool_context.ts";
import { type Answer, ask, questionHead } from "../upstream/question.ts";

/** Asks one endpoint once; resolves to "" when it is well, else to what is wrong. */
export type Probe = () => Promise<string>;

/** SERVING of grpc.health.v1. */
const SERVING = 1;
const GRPC_PATH = "/grpc.health.v1.Health/Check";

/** Where and how an endpoint is asked. */
export interface ProbeTarget {
  readonly address: string;
  readonly port: number;
  /** "address:port" of the endpoint, for the Host field. */
  readonly label: string;
  readonly transport: BackendTransport;
}

/** The probe that a check asks for. */
export function probeOf(check: HealthCheck, target: ProbeTarget, context: PoolContext): Probe {
  switch (check.type) {
    case HealthCheckType.HEALTH_CHECK_TYPE_HTTP:
      return httpProbe(check, target, context);
    case HealthCheckType.HEALTH_CHECK_TYPE_GRPC:
      return grpcProbe(check, target, context);
    default:
      return connectProbe(check, target, context);
  }
}

/** A connection that opens, with its handshake where there is one, is enough. */
function connectProbe(check: HealthCheck, target: ProbeTarget, context: PoolContext): Probe {
  const { address, port, transport } = target;
  return () =>
    new Promise((resolve) => {
      const timeout = check.timeoutMs;
      new Opening(
        { address, port, transport, preamble: null, http1Only: false, timeout },
        {
          onOpened: (_opening, connection) => {
            connection.events = { onData() {}, onDrain() {}, onEnd() {}, onClose() {} };
            connection.close();
            resolve("");
          },
          onOpenFailed: (_opening, failure) => resolve(failure),
        },
        context,
      ).start();
    });
}

function httpProbe(check: HealthCheck, target: ProbeTarget, context: PoolContext): Probe {
  const pool = poolOf(check, target, context);
  const host = check.host === "" ? target.label : check.host;
  const head = questionHead(check.method, check.path, [
    ["host", host],
    ["user-agent", "novaedge-health-check"],
    ...(check.method === "POST" ? [["content-length", "0"] as const] : []),
  ]);
  return async () => {
    const asked = {
      share: null,
      method: check.method,
      head,
      body: null,
      timeout: check.timeoutMs,
      fresh: true,
    };
    const answer = await ask(pool, asked, context.ticker);
    return typeof answer === "string" ? answer : httpProblem(check, answer);
  };
}

/** What is wrong with an answer, or "". */
export function httpProblem(
  { statuses, body }: HealthCheck,
  answer: Pick<Answer, "status" | "body">,
): string {
  const expected = statuses.some(({ first, last }) =>
    answer.status >= first && answer.status <= last
  );
  if (!expected) return `status ${answer.status}`;
  const wanted = Buffer.from(body, "utf8").toString("latin1");
  return answer.body.includes(wanted) ? "" : "the body has not the expected text";
}

function grpcProbe(check: HealthCheck, target: ProbeTarget, context: PoolContext): Probe {
  const transport: BackendTransport = {
    ...target.transport,
    protocol: "http2",
    key: `${target.transport.key} grpc`,
  };
  const pool = poolOf(check, { ...target, transport }, context);
  const host = check.host === "" ? target.label : check.host;
  const head = questionHead("POST", GRPC_PATH, [
    ["host", host],
    ["content-type", "application/grpc"],
    ["te", "trailers"],
  ]);
  const body = grpcRequest(check.grpcService);
  return async () => {
    const asked = {
      share: null,
      method: "POST",
      head,
      body,
      timeout: check.timeoutMs,
      fresh: true,
    };
    const answer = await ask(pool, asked, context.ticker);
    return typeof answer === "string" ? answer : grpcProblem(answer);
  };
}

/** A HealthCheckRequest in its frame. */
export function grpcRequest(service: string): Buffer {
  const name = Buffer.from(service, "utf8");
  const length: number[] = [];
  // Base-128 varint, the least first.
  for (let rest = name.length; rest > 0 || length.length === 0; rest >>>= 7) {
    length.push((rest & 127) | (rest > 127 ? 128 : 0));
  }
  const message = name.length === 0
    ? Buffer.alloc(0)
    : Buffer.concat([Buffer.from([0x0a, ...length]), name]);
  const frame = Buffer.alloc(5);
  frame.writeUInt32BE(message.length, 1);
  return Buffer.concat([frame, message]);
}

/** What is wrong with a HealthCheckResponse, or "". */
export function grpcProblem({ status, fields, body, trailers }: Answer): string {
  if (status !== 200) return `status ${status}`;
  const code = new Map(fields).get("grpc-status") ?? /^grpc-status: *(\d+)/im.exec(trailers)?.[1];
  if (code !== "0") return `grpc-status ${code ?? "missing"}`;
  const message = Buffer.from(body, "latin1").subarray(5);
  const serving = message.length === 2 && message[0] === 0x08 ? message[1] : 0;
  return serving === SERVING ? "" : "not serving";
}

/** Each check opens a connection: one that is kept would not show that new ones are refused. */
function poolOf(check: HealthCheck, target: ProbeTarget, context: PoolContext): EndpointPool {
  const { address, port, transport } = target;
  return new EndpointPool(address, port, transport, {
    connectTimeout: check.timeoutMs,
    idleTimeout: 1,
    lifetime: 0,
    maxConnections: 2,
    maxIdle: 0,
    maxPending: 1,
    maxRequests: 1,
    prewarm: 0,
  }, context);
}
