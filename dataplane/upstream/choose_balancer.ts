import { LbPolicy } from "../../proto/gen/novaedge/v1/config.ts";
import type { Balancer, Candidate } from "../balancer/balancer.ts";
import { LeastConnections } from "../balancer/least_connections.ts";
import { Maglev } from "../balancer/maglev.ts";
import { Random } from "../balancer/random.ts";
import { RingHash } from "../balancer/ring_hash.ts";
import { RoundRobin } from "../balancer/round_robin.ts";
import { byActive, byCost, TwoChoices } from "../balancer/two_choices.ts";

/** A balancer, and what it needs to know of requests. */
export interface ChosenBalancer<T extends Candidate> {
  readonly balancer: Balancer<T>;
  /** Whether picks depend on a key. */
  readonly hashes: boolean;
  /** Whether picks depend on how long answers take. */
  readonly measures: boolean;
}

/**
 * The balancer of a policy.
 * @param start position of the first pick, for those that go round
 * @param random a number in [0, 1)
 */
export function chooseBalancer<T extends Candidate>(
  policy: LbPolicy,
  start: number,
  random: () => number,
): ChosenBalancer<T> {
  const plain = { hashes: false, measures: false };
  switch (policy) {
    case LbPolicy.LB_POLICY_LEAST_CONNECTIONS:
      return { ...plain, balancer: new LeastConnections(start) };
    case LbPolicy.LB_POLICY_RANDOM:
      return { ...plain, balancer: new Random(random) };
    case LbPolicy.LB_POLICY_P2C:
      return { ...plain, balancer: new TwoChoices(byActive, random) };
    case LbPolicy.LB_POLICY_EWMA:
      return { hashes: false, measures: true, balancer: new TwoChoices(byCost, random) };
    case LbPolicy.LB_POLICY_RING_HASH:
      return { hashes: true, measures: false, balancer: new RingHash() };
    case LbPolicy.LB_POLICY_MAGLEV:
      return { hashes: true, measures: false, balancer: new Maglev() };
    default:
      return { ...plain, balancer: new RoundRobin(start) };
  }
}
