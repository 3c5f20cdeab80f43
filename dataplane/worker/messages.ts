/** What crosses between the dataplane's main thread and its traffic workers. */
import type { TransportSetup } from "../net/create_transport.ts";
import type { GuardSettings } from "../net/upstream_guard.ts";
import type { WorkerEvent } from "../observe/event_log.ts";
import type { Span } from "../observe/trace.ts";
import type { Kind } from "../../proto/gen/novaedge/v1/distribution.ts";

/** One changed resource; `body` null removes it. */
export interface ResourceChange {
  readonly kind: Kind;
  readonly name: string;
  readonly body: Uint8Array | null;
}

/** A backend with its slot and those of its endpoints, in their order. */
export type BackendSlots = readonly [string, readonly number[]];

/** Given to a worker when it starts. */
export interface WorkerSetup {
  readonly index: number;
  readonly counters: SharedArrayBuffer;
  /** Buckets of rate limits, and how many there are at least. */
  readonly buckets: SharedArrayBuffer;
  readonly bucketCount: number;
  /** What is known of endpoints, and requests in progress by backend. */
  readonly endpoints: SharedArrayBuffer;
  readonly inflight: SharedArrayBuffer;
  readonly workers: number;
  /** The node's zone, "" when it is not known. */
  readonly zone: string;
  readonly transport: TransportSetup;
  /** Where connections may not lead. */
  readonly upstreams: GuardSettings;
  /** Whether somebody takes spans. */
  readonly tracing: boolean;
  /** `clockOrigin()` of the main thread. */
  readonly clockOrigin: number;
  readonly faultInjection: boolean;
  /** Bytes that the worker's heap and buffers may have before it refuses new work. */
  readonly heapBytes: number;
}

/** A JWK Set that policies follow. Times in milliseconds. */
export interface KeysWanted {
  readonly url: string;
  readonly refresh: number;
  readonly timeout: number;
}

export type ToWorker =
  | {
    readonly type: "apply";
    readonly id: number;
    readonly changes: readonly ResourceChange[];
    readonly slots: readonly [string, number][];
    /** Numbers of policies, by which their buckets go. */
    readonly policies: readonly [string, number][];
    readonly backends: readonly BackendSlots[];
  }
  | { readonly type: "keys"; readonly wanted: KeysWanted; readonly json: string | null }
  | { readonly type: "passwordChecked"; readonly id: number; readonly right: boolean | null }
  | {
    readonly type: "explain";
    readonly id: number;
    readonly method: string;
    readonly url: string;
    readonly headers: Record<string, string>;
  }
  | { readonly type: "endpoints"; readonly id: number }
  | { readonly type: "logBuffer"; readonly buffer: ArrayBuffer }
  | { readonly type: "claimed"; readonly claim: number; readonly problem: string }
  /** The dataplane is going to end: connections should move on while new ones are still taken. */
  | { readonly type: "ending" }
  | { readonly type: "drain"; readonly id: number }
  | { readonly type: "fault"; readonly fault: string };

/** State of one endpoint in one worker. */
export interface EndpointReport {
  readonly backend: string;
  readonly address: string;
  readonly port: number;
  readonly connections: number;
  readonly idle: number;
  /** Requests that it has at the moment. */
  readonly active: number;
}

/** A listener as one worker bound it. */
export interface ListenerReport {
  readonly listener: string;
  readonly address: string;
  readonly port: number;
  /** Empty when it is bound. */
  readonly problem: string;
}

export type FromWorker =
  | {
    readonly type: "applied";
    readonly id: number;
    readonly refusals: readonly {
      readonly kind: Kind;
      readonly name: string;
      readonly reason: string;
    }[];
  }
  | {
    readonly type: "claim";
    readonly claim: number;
    readonly address: string;
    readonly port: number;
  }
  | { readonly type: "followKeys" | "refreshKeys" | "dropKeys"; readonly wanted: KeysWanted }
  | ({ readonly type: "event" } & WorkerEvent)
  | { readonly type: "spans"; readonly spans: readonly Span[] }
  | {
    readonly type: "password";
    readonly id: number;
    readonly password: string;
    readonly hash: string;
  }
  | { readonly type: "release"; readonly address: string; readonly port: number }
  | { readonly type: "listeners"; readonly reports: readonly ListenerReport[] }
  | { readonly type: "explained"; readonly id: number; readonly json: string }
  | { readonly type: "endpoints"; readonly id: number; readonly reports: readonly EndpointReport[] }
  | { readonly type: "drained"; readonly id: number }
  | {
    readonly type: "log";
    readonly buffer: ArrayBuffer;
    readonly length: number;
    readonly lines: number;
  };
