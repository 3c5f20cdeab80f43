/**
 * Chains of certificates of any structure at the checks of both sides: nothing may be thrown, no chain
 * may take long, and only a chain to the trusted authority is verified.
 */
import { readCertificate } from "../../dataplane/net/x509/certificate.ts";
import {
  checkClientCertificate,
  type ClientCertificatePolicy,
} from "../../dataplane/net/x509/client_certificate.ts";
import { serverNameProblem } from "../../dataplane/net/x509/server_name.ts";
import { verifySignature } from "../../dataplane/net/x509/verify_signature.ts";
import { nativeProblem } from "../../dataplane/net/native/native_problem.ts";
import { OpenSsl } from "../../dataplane/net/native/openssl.ts";
import { opensslVerifier } from "../../dataplane/net/native/verify_signature.ts";
import { CertificateDice } from "./certificate_dice.ts";
import { Dice } from "./fuzz_dice.ts";
import { type Fuzzed, Fuzzing } from "./fuzzing.ts";

const ALL: Omit<ClientCertificatePolicy, "authorities" | "verify"> = {
  revocations: [],
  commonNames: [],
  sans: [],
};
const NAMED = { ...ALL, commonNames: ["*.svc", "*o*s*", "client"], sans: ["boss.test", "::1"] };
const SERVERS: readonly (readonly [string, readonly string[]])[] = [
  ...[["boss.test", []], ["10.0.0.1", []], ["::1", []]] as [string, string[]][],
  ["", ["boss.test", "spiffe://a/b", "::1"]],
];

/**
 * Gives chains to the checks for some time.
 * @param seed of the dice
 */
export async function fuzzCertificates(milliseconds: number, seed: number): Promise<Fuzzed> {
  const dice = new Dice(seed);
  const made = await CertificateDice.create(dice);
  const authorities = [readCertificate(made.trusted)];
  const verifiers = [verifySignature];
  if (nativeProblem() === "") verifiers.push(opensslVerifier(new OpenSsl()));
  const now = Date.now();
  const outcomes = { none: 0, refused: 0, verified: 0 };
  using fuzzing = new Fuzzing(milliseconds);
  while (fuzzing.goesOn) {
    const chain = made.chain();
    const verify = dice.pick(verifiers);
    const policy = { ...dice.pick([ALL, NAMED]), authorities, verify };
    const [name, sans] = dice.pick(SERVERS);
    const input = () => chain.map((der) => der.toString("base64")).join(" ");
    fuzzing.run(input, () => {
      const start = performance.now();
      const { kind } = checkClientCertificate(chain, policy, now);
      const between = performance.now();
      serverNameProblem(chain[0], name, sans);
      const end = performance.now();
      outcomes[kind]++;
      return Math.max(between - start, end - between);
    });
  }
  const { summary, failures } = fuzzing.found("chains");
  const unreached = outcomes.verified === 0 ? ["no chain was verified: names were not read"] : [];
  return {
    summary: `${summary}, ${outcomes.verified} of them verified`,
    failures: [...failures, ...unreached],
  };
}
