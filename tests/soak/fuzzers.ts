import { fuzzYaml, YAML_BUDGET } from "./fuzz_yaml.ts";

/** What a fuzzer of a parser found. */
export interface Fuzzed {
  readonly summary: string;
  readonly failures: readonly string[];
}

/** Fuzzers that need no gateway, by the name that `--only` takes. */
export const FUZZERS: Readonly<Record<string, (milliseconds: number, seed: number) => Fuzzed>> = {
  yaml(milliseconds, seed) {
    const { inputs, worstMilliseconds, worst: text, deaths } = fuzzYaml(milliseconds, seed);
    const worst = `${worstMilliseconds.toFixed(1)} ms`;
    const shown = JSON.stringify(text.slice(0, 500));
    const slow = `a text took ${worst}, more than ${YAML_BUDGET} ms: ${shown}`;
    return {
      summary: `${inputs} texts, at most ${worst}`,
      failures: worstMilliseconds > YAML_BUDGET ? [...deaths, slow] : deaths,
    };
  },
};
