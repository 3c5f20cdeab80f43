import { runProgram } from "../common/program.ts";
import { DATAPLANE_FLAGS, runDataplane } from "./dataplane.ts";

await runProgram(
  "novaedge-dataplane",
  DATAPLANE_FLAGS,
  (flags, signal, asked) => runDataplane(flags, signal, asked),
);
