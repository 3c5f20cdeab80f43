import { runProgram } from "../common/program.ts";
import { runStandalone, STANDALONE_FLAGS } from "./standalone.ts";

await runProgram("novaedge", STANDALONE_FLAGS, runStandalone);
