import {
  Backend,
  Certificate,
  Gateway,
  Protocol,
  Route,
} from "../../proto/gen/novaedge/v1/config.ts";
import { Kind } from "../../proto/gen/novaedge/v1/distribution.ts";
import { compileRoute } from "../router/compile.ts";
import type { CompiledRoute } from "../router/compiled.ts";
import { ListenerTable } from "../router/port_table.ts";
import { BackendRuntime } from "../upstream/backend_runtime.ts";
import type { PoolContext } from "../upstream/endpoint_pool.ts";
import { CertificateError, loadCertificate, type LoadedCertificate } from "./certificate.ts";
import type { ResourceChange } from "./messages.ts";

/** A resource that this dataplane cannot use. */
export interface Refusal {
  readonly kind: Kind;
  readonly name: string;
  readonly reason: string;
}

/** A listener with its routes. */
export interface ListenerState {
  readonly key: string;
  readonly gateway: string;
  readonly port: number;
  readonly address: string;
  readonly https: boolean;
  readonly hostnames: readonly string[];
  readonly minVersion: string;
  readonly certificates: readonly { serverName: string; certificate: string }[];
  readonly accessLog: boolean;
  readonly table: ListenerTable;
}

/**
 * One worker's configuration. A delta is compiled first and then applied in the same turn, between two
 * requests: no request sees half of it, and what a request has picked up stays as it was. The cost is
 * that of the changed resources, whatever else is configured.
 */
export class Tables {
  readonly backends = new Map<string, BackendRuntime>();
  readonly listeners = new Map<string, ListenerState>();
  readonly certificates = new Map<string, LoadedCertificate>();
  readonly #gateways = new Map<string, Gateway>();
  readonly #routes = new Map<string, CompiledRoute>();
  readonly #routesOf = new Map<string, Set<CompiledRoute>>();
  readonly #pools: PoolContext;
  readonly #worker: number;

  constructor(pools: PoolContext, worker: number) {
    this.#pools = pools;
    this.#worker = worker;
  }

  /** Applies what can be applied and says what was refused; a refused resource keeps its last version. */
  apply(changes: readonly ResourceChange[]): Refusal[] {
    const refusals: Refusal[] = [];
    const commits: (() => void)[] = [];
    for (const change of changes) {
      try {
        commits.push(this.#prepare(change));
      } catch (error) {
        refusals.push({ kind: change.kind, name: change.name, reason: (error as Error).message });
      }
    }
    for (const commit of commits) commit();
    return refusals;
  }

  /** Decodes and compiles; the returned function cannot fail. */
  #prepare({ kind, name, body }: ResourceChange): () => void {
    switch (kind) {
      case Kind.KIND_BACKEND:
        return this.#prepareBackend(name, body);
      case Kind.KIND_ROUTE: {
        const route = body === null ? null : compileRoute(Route.decode(body));
        return () => this.#setRoute(name, route);
      }
      case Kind.KIND_CERTIFICATE: {
        const certificate = body === null ? null : loadCertificate(Certificate.decode(body));
        return () => {
          if (certificate === null) this.certificates.delete(name);
          else this.certificates.set(name, certificate);
        };
      }
      case Kind.KIND_GATEWAY: {
        const gateway = body === null ? null : Gateway.decode(body);
        return () => this.#setGateway(name, gateway);
      }
      default:
        throw new CertificateError(`kind ${kind} is not served by this version`);
    }
  }

  #prepareBackend(name: string, body: Uint8Array | null): () => void {
    if (body === null) {
      return () => {
        this.backends.get(name)?.drain();
        this.backends.delete(name);
      };
    }
    const backend = Backend.decode(body);
    return () => {
      let runtime = this.backends.get(name);
      if (runtime === undefined) {
        runtime = new BackendRuntime(name, this.#pools, this.#worker);
        this.backends.set(name, runtime);
      }
      runtime.update(backend);
    };
  }

  #setRoute(name: string, route: CompiledRoute | null): void {
    const old = this.#routes.get(name);
    if (old !== undefined) {
      this.#routes.delete(name);
      for (const key of old.listeners) {
        this.#routesOf.get(key)?.delete(old);
        this.listeners.get(key)?.table.remove(old);
      }
    }
    if (route === null) return;
    this.#routes.set(name, route);
    for (const key of route.listeners) {
      let routes = this.#routesOf.get(key);
      if (routes === undefined) this.#routesOf.set(key, routes = new Set());
      routes.add(route);
      this.listeners.get(key)?.table.add(route);
    }
  }

  #setGateway(name: string, gateway: Gateway | null): void {
    const old = this.#gateways.get(name);
    const before = new Set(old?.listeners.map((listener) => `${name}/${listener.name}`));
    if (gateway === null) this.#gateways.delete(name);
    else this.#gateways.set(name, gateway);
    for (const listener of gateway?.listeners ?? []) {
      const key = `${name}/${listener.name}`;
      before.delete(key);
      const table = new ListenerTable(key, listener.closedReason);
      for (const route of this.#routesOf.get(key) ?? []) table.add(route);
      this.listeners.set(key, {
        key,
        gateway: name,
        port: listener.port,
        address: listener.bindAddress,
        https: listener.protocol === Protocol.PROTOCOL_HTTPS,
        hostnames: listener.hostnames.length > 0 ? listener.hostnames : [""],
        minVersion: listener.tls?.minVersion ?? "",
        certificates: listener.tls?.certificates ?? [],
        accessLog: gateway!.accessLog?.disabled !== true,
        table,
      });
    }
    for (const key of before) this.listeners.delete(key);
  }
}
