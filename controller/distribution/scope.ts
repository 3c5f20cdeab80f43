import { Kind } from "../../common/delta/resources.ts";
import type { References } from "./references.ts";

const GATEWAY = `${Kind.KIND_GATEWAY}|`;
const OUTCOME = `${Kind.KIND_OUTCOME}|`;
const PROBLEM = `${Kind.KIND_SOURCE_ERROR}|`;
const NODE = `${Kind.KIND_NODE}|`;
const POLICY = `${Kind.KIND_POLICY}|`;
const VIP = `${Kind.KIND_VIP}|`;

/** What refers to nothing. */
const LEAVES = [OUTCOME, PROBLEM, VIP, NODE];

/** What is known of the published resources, by their keys. */
export type Graph = ReadonlyMap<string, References>;

/**
 * What the nodes that serve certain gateways need of the published resources: these, the routes that they
 * take, and all that these refer to. It follows changes by counting who needs what, so that one costs what
 * it touches, however much there is.
 */
export class Scope {
  readonly #gateways: ReadonlySet<string>;
  readonly #graph: Graph;
  /** How often each key is needed, also of what is not there. */
  #needed = new Map<string, number>();
  /** Keys that are needed and there. */
  #present = new Set<string>();
  /** Keys that came or went since they were last told. */
  #touched = new Set<string>();
  /** Counts may hold what only needs itself. */
  #doubtful = false;

  /** @param graph is followed: each of its changes is to be told by `replace` */
  constructor(gateways: ReadonlySet<string>, graph: Graph) {
    this.#gateways = gateways;
    this.#graph = graph;
    this.#fill();
  }

  get keys(): ReadonlySet<string> {
    return this.#present;
  }

  /** A resource came, changed or went; the graph has it as it is now. */
  replace(key: string, before: References | undefined, after: References | undefined): void {
    if (this.#present.has(key)) {
      const wanted = wants(key, before!);
      if (after === undefined) this.#collapse(key, wanted);
      else {
        const now = wants(key, after);
        for (const each of now) if (!wanted.has(each)) this.#retain(each);
        for (const each of wanted) if (!now.has(each)) this.#release(each);
      }
    } else if (after !== undefined && this.#needed.has(key)) this.#expand(key, after);
    const was = before !== undefined && this.#isRoot(key, before);
    const is = after !== undefined && this.#isRoot(key, after);
    if (is && !was) this.#retain(key);
    else if (was && !is) this.#release(key);
  }

  /** The keys that came or went since this was asked last. */
  takeTouched(): ReadonlySet<string> {
    if (this.#doubtful) this.#recount();
    const touched = this.#touched;
    this.#touched = new Set();
    return touched;
  }

  #fill(): void {
    for (const [key, references] of this.#graph) {
      if (this.#isRoot(key, references)) this.#retain(key);
    }
  }

  #recount(): void {
    const before = this.#present;
    this.#needed = new Map();
    this.#present = new Set();
    const touched = this.#touched;
    this.#touched = new Set();
    this.#fill();
    this.#doubtful = false;
    this.#touched = touched.union(before.symmetricDifference(this.#present));
  }

  #isRoot(key: string, { gateways }: References): boolean {
    if (key.startsWith(PROBLEM) || key.startsWith(NODE)) return true;
    if (key.startsWith(GATEWAY)) return this.#gateways.has(key.slice(GATEWAY.length));
    return gateways.some((gateway) => this.#gateways.has(gateway));
  }

  #retain(key: string): void {
    const count = this.#needed.get(key) ?? 0;
    this.#needed.set(key, count + 1);
    if (count > 0) return;
    const references = this.#graph.get(key);
    if (references !== undefined) this.#expand(key, references);
  }

  #release(key: string): void {
    const count = this.#needed.get(key)! - 1;
    if (count > 0) {
      this.#needed.set(key, count);
      if (mayBeCircular(key, this.#graph.get(key))) this.#doubtful = true;
      return;
    }
    this.#needed.delete(key);
    const references = this.#graph.get(key);
    if (this.#present.has(key)) this.#collapse(key, wants(key, references!));
  }

  #expand(key: string, references: References): void {
    this.#present.add(key);
    this.#touched.add(key);
    for (const each of wants(key, references)) this.#retain(each);
  }

  #collapse(key: string, wanted: ReadonlySet<string>): void {
    this.#present.delete(key);
    this.#touched.add(key);
    for (const each of wanted) this.#release(each);
  }
}

/** What is needed where a resource is: what it refers to, what became of its object, and who holds its addresses. */
function wants(key: string, { needs, addresses }: References): ReadonlySet<string> {
  const [kind] = key.split("|", 1);
  const name = key.slice(kind.length + 1);
  if (LEAVES.some((leaf) => key.startsWith(leaf))) return NOTHING;
  const all = new Set(needs);
  all.add(`${OUTCOME}${objectOf(name)}`);
  if (key.startsWith(GATEWAY)) { for (const address of addresses) all.add(`${VIP}${address}`); }
  return all;
}

const NOTHING: ReadonlySet<string> = new Set();

/** Whether something may need itself: a policy that asks a backend which has policies. */
function mayBeCircular(key: string, references: References | undefined): boolean {
  if (references === undefined) return false;
  const { needs } = references;
  return key.startsWith(POLICY) ? needs.length > 0 : needs.some((need) => need.startsWith(POLICY));
}

/** Key of the object that a resource comes from: its name without what tells its parts apart. */
function objectOf(name: string): string {
  const [kind, namespace, rest = ""] = name.split("/");
  return `${kind}/${namespace}/${rest.replace(/[:@].*$/, "")}`;
}
