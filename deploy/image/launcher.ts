/** Prints the script that an image starts: each program with the permissions that its task in deno.json has. */
import { join } from "node:path";

const PROGRAMS = ["controller", "agent", "dataplane", "dataplane:native"];

const { tasks } = JSON.parse(
  await Deno.readTextFile(join(import.meta.dirname!, "../../deno.json")),
) as { tasks: Record<string, { command: string }> };

const cases = PROGRAMS.map((name) => {
  const { command } = tasks[name];
  return `  ${name}) exec ${
    command.replace("deno run", "deno run --cached-only --frozen")
  } "$@" ;;`;
});

const script = `#!/bin/sh
# One image, three programs, one of them on either transport: the first argument says which.
cd /app || exit 1
program=$1
shift
case $program in
${cases.join("\n")}
  *)
    echo "novaedge: the first argument is ${PROGRAMS.join(", ")}, not \\"$program\\"" >&2
    exit 2
    ;;
esac
`;
await Deno.stdout.write(new TextEncoder().encode(script));
