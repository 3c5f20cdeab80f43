import {
  Backend,
  Certificate,
  Gateway,
  Node,
  Policy,
  Route,
} from "../../proto/gen/novaedge/v1/config.ts";
import { faults } from "../loop/containment.ts";
import { Kind } from "../../proto/gen/novaedge/v1/distribution.ts";
import type { UpstreamGuard } from "../net/upstream_guard.ts";
import type { PolicyStore } from "../policy/policy_store.ts";
import { compileRoute } from "../router/compile.ts";
import type { CompiledRoute } from "../router/compiled.ts";
import { intern } from "../router/intern.ts";
import { BackendRuntime } from "../upstream/backend_runtime.ts";
import type { BackendContext } from "../upstream/pool_context.ts";
import { backendTransport } from "./backend_transport.ts";
import { CertificateError, loadCertificate, type LoadedCertificate } from "./certificate.ts";
import { type ListenerState, listenerState } from "../router/listener_state.ts";
import type { BackendSlots, ResourceChange } from "./messages.ts";

/** A resource that this dataplane cannot use. */
export interface Refusal {
  readonly kind: Kind;
  readonly name: string;
  readonly reason: string;
}

/**
 * One worker's configuration. A delta is compiled first and then applied in the same turn, between two
 * requests: no request sees half of it, and what a request has picked up stays as it was. The cost is
 * that of the changed resources, whatever else is configured.
 */
export class Tables {
  readonly #backends: Map<string, BackendRuntime>;
  readonly #policies: PolicyStore;
  readonly listeners = new Map<string, ListenerState>();
  readonly certificates = new Map<string, LoadedCertificate>();
  /** Keys of each gateway's listeners. */
  readonly #gateways = new Map<string, readonly string[]>();
  readonly #backendMessages = new Map<string, Backend>();
  readonly #backendSlots = new Map<string, readonly number[]>();
  readonly #routes = new Map<string, CompiledRoute>();
  readonly #routesOf = new Map<string, Set<CompiledRoute>>();
  readonly #pools: BackendContext;
  readonly #worker: number;
  readonly #guard: UpstreamGuard;
  /** Called when a certificate was replaced or removed. */
  onCertificate: (name: string) => void = () => {};

  /**
   * @param backends filled with the backends
   * @param policies filled with the policies
   * @param guard told of the cluster's machines
   */
  constructor(
    pools: BackendContext,
    worker: number,
    backends: Map<string, BackendRuntime>,
    policies: PolicyStore,
    guard: UpstreamGuard,
  ) {
    this.#guard = guard;
    this.#pools = pools;
    this.#worker = worker;
    this.#backends = backends;
    this.#policies = policies;
  }

  /** Applies what can be applied and says what was refused; a refused resource keeps its last version. */
  apply(changes: readonly ResourceChange[], slots: readonly BackendSlots[]): Refusal[] {
    for (const [name, own] of slots) this.#backendSlots.set(name, own);
    const refusals: Refusal[] = [];
    const refuse = ({ kind, name }: ResourceChange, error: unknown) =>
      refusals.push({ kind, name, reason: (error as Error).message });
    const commits: { change: ResourceChange; commit: () => void }[] = [];
    for (const change of changes) {
      try {
        commits.push({ change, commit: this.#prepare(change) });
      } catch (error) {
        refuse(change, error);
      }
    }
    for (const { change, commit } of commits) {
      try {
        commit();
      } catch (error) {
        // A fault of ours: the worker would end by it, and each that follows it.
        faults.report(error, "a resource was refused after an internal error");
        refuse(change, error);
      }
    }
    return refusals;
  }

  /** Decodes and compiles; the returned function does not fail but by a fault of ours. */
  #prepare({ kind, name, body }: ResourceChange): () => void {
    switch (kind) {
      case Kind.KIND_BACKEND:
        return this.#prepareBackend(name, body);
      case Kind.KIND_POLICY:
        return this.#policies.prepare(name, body === null ? null : Policy.decode(body));
      case Kind.KIND_ROUTE: {
        const route = body === null ? null : compileRoute(name, Route.decode(body));
        return () => this.#setRoute(name, route);
      }
      case Kind.KIND_CERTIFICATE: {
        const certificate = body === null ? null : loadCertificate(
          Certificate.decode(body),
          this.#pools.transport,
        );
        return () => {
          if (certificate === null) this.certificates.delete(name);
          else this.certificates.set(name, certificate);
          this.#certificateChanged(name);
        };
      }
      case Kind.KIND_NODE: {
        const addresses = body === null ? null : Node.decode(body).addresses;
        return () => this.#guard.setNode(name, addresses);
      }
      case Kind.KIND_GATEWAY: {
        const gateway = body === null ? null : Gateway.decode(body);
        const states = gateway === null
          ? []
          : gateway.listeners.map((listener) => listenerState(name, gateway, listener));
        return () => this.#setGateway(name, states);
      }
      default:
        throw new CertificateError(`kind ${kind} is not served by this version`);
    }
  }

  #prepareBackend(name: string, body: Uint8Array | null): () => void {
    if (body === null) {
      return () => {
        this.#backends.get(name)?.drain();
        this.#backends.delete(name);
        this.#backendMessages.delete(name);
        this.#backendSlots.delete(name);
      };
    }
    const backend = Backend.decode(body);
    return () => {
      this.#backendMessages.set(name, backend);
      let runtime = this.#backends.get(name);
      if (runtime === undefined) {
        runtime = new BackendRuntime(name, this.#pools, this.#worker);
        this.#backends.set(intern(name), runtime);
      }
      this.#updateBackend(runtime, backend);
    };
  }

  /** A backend whose certificates are not there yet must not be met without them. */
  #updateBackend(runtime: BackendRuntime, backend: Backend): void {
    const transport = backendTransport(backend, this.certificates);
    const slots = this.#backendSlots.get(runtime.name) ?? [];
    if (typeof transport !== "string") runtime.update(backend, slots, transport);
    else runtime.update({ ...backend, closedReason: backend.closedReason || transport }, slots);
  }

  #certificateChanged(name: string): void {
    for (const [key, message] of this.#backendMessages) {
      const { tls } = message;
      if (tls === undefined || (tls.ca !== name && tls.clientCertificate !== name)) continue;
      const runtime = this.#backends.get(key);
      if (runtime !== undefined) this.#updateBackend(runtime, message);
    }
    this.onCertificate(name);
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

  #setGateway(name: string, states: readonly ListenerState[]): void {
    for (const key of this.#gateways.get(name) ?? []) this.listeners.delete(key);
    if (states.length === 0) this.#gateways.delete(name);
    else this.#gateways.set(name, states.map(({ key }) => key));
    for (const state of states) {
      for (const route of this.#routesOf.get(state.key) ?? []) state.table.add(route);
      this.listeners.set(state.key, state);
    }
  }
}
