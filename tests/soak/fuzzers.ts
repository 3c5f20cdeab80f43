import { fuzzCertificates } from "./fuzz_certificates.ts";
import { fuzzFields } from "./fuzz_fields.ts";
import { fuzzHandshakes } from "./fuzz_handshakes.ts";
import { fuzzYaml } from "./fuzz_yaml.ts";
import type { Fuzzed } from "./fuzzing.ts";

/** Runs for some time with choices that a seed repeats. */
type Fuzzer = (milliseconds: number, seed: number) => Fuzzed | Promise<Fuzzed>;

/** Fuzzers of parsers, by the name that `--only` takes. */
export const FUZZERS: Readonly<Record<string, Fuzzer>> = {
  yaml: fuzzYaml,
  fields: fuzzFields,
  async certificates(milliseconds, seed) {
    const found = [
      await fuzzCertificates(milliseconds / 2, seed),
      await fuzzHandshakes(milliseconds / 4, seed, "node"),
      await fuzzHandshakes(milliseconds / 4, seed, "native"),
    ];
    return {
      summary: found.map(({ summary }) => summary).join("; "),
      failures: found.flatMap(({ failures }) => failures),
    };
  },
};
