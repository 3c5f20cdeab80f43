import type { RequestHead } from "../message/request_head.ts";

/** Milliseconds per unit letter of grpc-timeout (gRPC over HTTP/2, "TimeoutUnit"). */
const UNITS: Readonly<Record<string, number>> = {
  H: 3_600_000,
  M: 60_000,
  S: 1_000,
  m: 1,
  u: 0.001,
  n: 0.000_001,
};
const VALUE = /^(\d{1,8})([HMSmun])$/;

/** The time that a gRPC client gives its call, in milliseconds, at least 1; 0 for none. */
export function grpcTimeout(head: RequestHead): number {
  if (head.grpcTimeoutIndex < 0) return 0;
  return parseGrpcTimeout(head.block.value(head.grpcTimeoutIndex));
}

/** Reads a value of grpc-timeout; 0 when it is malformed. */
export function parseGrpcTimeout(value: string): number {
  const parts = VALUE.exec(value);
  return parts === null ? 0 : Math.max(1, Number(parts[1]) * UNITS[parts[2]]);
}
