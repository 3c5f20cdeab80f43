/** What a commit has to pass: format, lint, types and tests, each of them even when one before failed. */
import { parseFlags } from "../common/flags.ts";
import { readCommandLine } from "../common/program.ts";

const STEPS = [["fmt", "--check"], ["lint"], ["check", "."], ["task", "test"]];

readCommandLine("ok", () => parseFlags("ok", {}, Deno.args, () => undefined));
const failed: string[] = [];
for (const args of STEPS) {
  const { success } = await new Deno.Command(Deno.execPath(), { args }).spawn().status;
  if (!success) failed.push(`deno ${args.join(" ")}`);
}
const text = failed.length === 0 ? "ok\n" : `failed: ${failed.join(", ")}\n`;
Deno.stdout.writeSync(new TextEncoder().encode(text));
Deno.exit(failed.length === 0 ? 0 : 1);
