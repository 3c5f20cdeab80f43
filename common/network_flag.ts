import { cidrProblem } from "./cidr.ts";
import { FlagError } from "./flags.ts";

/**
 * Returns the networks (CIDR) of a flag that lists them with commas.
 * @throws {FlagError} naming the flag and the text that is no network
 */
export function networksOf(flag: string, text: string): readonly string[] {
  const networks = text.split(",").map((part) => part.trim()).filter((part) => part !== "");
  const problem = cidrProblem(networks);
  if (problem !== null) throw new FlagError(`--${flag}: ${problem}`);
  return networks;
}
