import type { FieldEdit } from "../message/field_edit.ts";
import { type Refusal, refusal } from "../observe/refusal.ts";
import type { PolicyPart, PolicyRuntime } from "./compile_policy.ts";
import { IpFilter, type IpList } from "./ip_filter.ts";
import type { Cors } from "./cors.ts";
import type { PolicyRequest, RequestCheck, Verdict } from "./policy.ts";

const CLOSED = refusal(500, "policy_closed");

type PartOf<T extends PolicyPart["type"]> = Extract<PolicyPart, { readonly type: T }>;

/** Policies of one level; undefined stands for one that is named but not there. */
export type PolicyLevel = readonly (PolicyRuntime | undefined)[];

/**
 * The policies that hold for a request, in the order in which they are asked: limits, rate limits,
 * preflights, JWT, basic and forward auth, rate limits by claims, IP lists. Limits, rates and IP lists of
 * all levels hold together; of the others the level closest to the request counts, unless a wider one
 * overrides it.
 */
export class PolicyChain {
  readonly #steps: readonly RequestCheck[];
  readonly #cors: Cors | null;
  readonly #answer: FieldEdit | null;
  /** Names of the policies that count, for explanations. */
  readonly names: readonly string[];
  /** Non-empty when nobody passes. */
  readonly closedReason: string;

  /** @param levels the widest first */
  constructor(levels: readonly PolicyLevel[]) {
    const all = levels.flat();
    const closed = all.find((policy) => policy === undefined || policy.part.type === "closed");
    this.closedReason = !all.includes(undefined) && closed === undefined
      ? ""
      : closed?.part.type === "closed"
      ? closed.part.reason
      : "a policy that is named is not there";
    const present = levels.map((level) => level.filter((policy) => policy !== undefined));
    const names: string[] = [];
    const every = <T extends PolicyPart["type"]>(type: T): PartOf<T>[] =>
      present.flat().filter(({ part }) => part.type === type).map(({ name, part }) => {
        names.push(name);
        return part as PartOf<T>;
      });
    const closest = <T extends PolicyPart["type"]>(type: T): PartOf<T> | null => {
      const ofType = present.flat().filter(({ part }) => part.type === type);
      const counting = ofType.find(({ override }) => override) ?? ofType.at(-1);
      if (counting === undefined) return null;
      names.push(counting.name);
      return counting.part as PartOf<T>;
    };
    this.#answer = closest("answer")?.edit ?? null;
    const cors = closest("cors")?.cors ?? null;
    this.#cors = cors;
    const rates = every("rate").map(({ check }) => check);
    const lists = ipLists(present, names);
    this.#steps = [
      ...every("limits").map(({ check }) => unlessPreflight(check, cors)),
      ...rates.filter(({ afterAuthentication }) => !afterAuthentication),
      ...(cors === null ? [] : [{ check: (request: PolicyRequest) => cors.preflight(request) }]),
      ...[closest("jwt"), closest("basic"), closest("forward")].flatMap((part) =>
        part === null ? [] : [part.check]
      ),
      ...rates.filter(({ afterAuthentication }) => afterAuthentication),
      ...(lists.length === 0 ? [] : [new IpFilter(lists)]),
    ];
    this.names = names;
  }

  /** Whether preflights are answered here. */
  get answersPreflights(): boolean {
    return this.#cors !== null;
  }

  /** Adds to the answer what every answer gets. */
  prepare(request: PolicyRequest): void {
    if (this.#answer !== null) request.changeAnswer(this.#answer);
    this.#cors?.prepare(request);
  }

  /** Whether the request passes; a promise where somebody else has to be asked. */
  check(request: PolicyRequest): Verdict {
    this.prepare(request);
    return this.closedReason === "" ? this.#from(0, request) : CLOSED;
  }

  #from(start: number, request: PolicyRequest): Verdict {
    for (let i = start; i < this.#steps.length; i++) {
      const verdict = this.#steps[i].check(request);
      if (verdict === null) continue;
      if (!(verdict instanceof Promise)) return verdict;
      return verdict.then((refused): Refusal | null | Promise<Refusal | null> =>
        refused ?? this.#from(i + 1, request)
      );
    }
    return null;
  }
}

/** A method that is not allowed may still be asked about. */
function unlessPreflight(check: RequestCheck, cors: Cors | null): RequestCheck {
  if (cors === null) return check;
  return { check: (request) => cors.preflight(request) === null ? check.check(request) : null };
}

function ipLists(levels: readonly PolicyRuntime[][], names: string[]): IpList[][] {
  const lists: IpList[][] = [];
  for (const level of levels) {
    const own: IpList[] = [];
    for (const { name, part } of level) {
      if (part.type !== "ip") continue;
      names.push(name);
      own.push(part.list);
    }
    if (own.length > 0) lists.push(own);
  }
  return lists;
}
