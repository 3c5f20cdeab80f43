import type { GateResult } from "./gates.ts";
import { shownRatios } from "./gates.ts";
import type { PolicyResult } from "./policies.ts";
import { print } from "./print.ts";
import { median, shown } from "./statistics.ts";

/** Greatest cost of a request with policies, in multiples of one without. */
const LIMIT = 1.3;

function ratiosOf({ rounds }: PolicyResult): number[] {
  return rounds.map(({ plain, policed }) => policed / plain);
}

/** Prints the figures; false when requests failed. */
export function reportPolicies(result: PolicyResult): boolean {
  const { rounds, cold, errors } = result;
  print();
  print("policies: rate limit, JWT (1,000 tokens, half RS256, half ES256), CORS, IP list");
  const plain = median(rounds.map((round) => round.plain));
  const policed = median(rounds.map((round) => round.policed));
  print(`without: ${shown(plain, 1)} us of CPU a request; with: ${shown(policed, 1)}`);
  print(`ratio: ${shownRatios(ratiosOf(result))}`);
  print(`a token costs ${shown(cold, 0)} us more the first time`);
  for (const error of errors) print(`ERROR policies: ${error}`);
  return errors.length === 0;
}

export function policyGates(result: PolicyResult): GateResult[] {
  const values = ratiosOf(result);
  return [{
    name: "policies: CPU per request, warm tokens",
    limit: `${LIMIT} x without`,
    value: shownRatios(values),
    met: median(values) <= LIMIT,
  }];
}
