import { PolicyChain } from "./chain.ts";
import { compilePolicy, dispose, type PolicyRuntime } from "./compile_policy.ts";
import type { Policy as PolicyMessage } from "../../proto/gen/novaedge/v1/config.ts";
import { NO_POLICIES, type PolicyLevels } from "../router/policy_levels.ts";
import type { PolicyContext } from "./policy_context.ts";

/** The policies of one worker, and the chains that they form. */
export class PolicyStore {
  readonly #context: PolicyContext;
  readonly #policies = new Map<string, PolicyRuntime>();
  /** Chains by the levels' own arrays, which stay the same as long as what names them does. */
  #chains = new WeakMap<PolicyLevels, WeakMap<PolicyLevels, WeakMap<PolicyLevels, PolicyChain>>>();

  constructor(context: PolicyContext) {
    this.#context = context;
  }

  /**
   * Compiles a policy; the returned function puts it in place.
   * @throws {Error} naming what cannot be used
   */
  prepare(name: string, message: PolicyMessage | null): () => void {
    const next = message === null ? null : compilePolicy(name, message, this.#context);
    return () => {
      const old = this.#policies.get(name);
      if (old !== undefined) dispose(old);
      if (next === null) this.#policies.delete(name);
      else this.#policies.set(name, next);
      this.#chains = new WeakMap();
    };
  }

  /** The chain for a request; null when nobody names a policy. */
  chain(listener: PolicyLevels, rule: PolicyLevels, backend: PolicyLevels): PolicyChain | null {
    if (listener === NO_POLICIES && rule === NO_POLICIES && backend === NO_POLICIES) return null;
    let byRule = this.#chains.get(listener);
    if (byRule === undefined) this.#chains.set(listener, byRule = new WeakMap());
    let byBackend = byRule.get(rule);
    if (byBackend === undefined) byRule.set(rule, byBackend = new WeakMap());
    let chain = byBackend.get(backend);
    if (chain === undefined) {
      const levels = [...listener, ...rule, ...backend].map((names) =>
        names.map((name) => this.#policies.get(name))
      );
      byBackend.set(backend, chain = new PolicyChain(levels));
    }
    return chain;
  }
}
