/** novaedgectl: what a folder of resources is worth, and what it does with a request, without a gateway that runs. */
import { VERSION } from "../common/version.ts";
import { messageOf } from "../common/errors.ts";
import { check, CHECK_USAGE } from "./check.ts";
import { EXIT, fail, print } from "./output.ts";
import { why, WHY_USAGE } from "./why.ts";

const COMMANDS: Readonly<Record<string, (args: string[]) => Promise<void>>> = { check, why };
const USAGE = `${CHECK_USAGE}\n${WHY_USAGE}`;

const [name = "", ...args] = Deno.args;
if (Deno.args.includes("--version")) print(`novaedgectl ${VERSION}\n`);
else if (Deno.args.includes("--help") || name === "help") print(USAGE);
else if (!Object.hasOwn(COMMANDS, name)) fail(`usage:\n${USAGE}`, EXIT.usage);
else {
  try {
    await COMMANDS[name](args);
  } catch (error) {
    fail(messageOf(error), EXIT.refused);
  }
}
