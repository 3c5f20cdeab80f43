/** Writes proto/gen from the .proto files, and deploy/crds and docs/reference from the schemas. */
import { generateResources } from "../api/generate.ts";
import { parseFlags } from "../common/flags.ts";
import { readCommandLine } from "../common/program.ts";
import { generateProto } from "../proto/generate.ts";

const FLAGS = {
  "check": {
    type: "boolean",
    default: false,
    help: "write nothing, and fail where a file is not what would be written",
  },
} as const;
const { check } = readCommandLine(
  "generate",
  () => parseFlags("generate", FLAGS, Deno.args, (variable) => Deno.env.get(variable)),
);
await generateProto(check);
await generateResources(check);
