import { runProgram } from "../common/program.ts";
import { runController } from "./controller.ts";
import { CONTROLLER_FLAGS } from "./controller_flags.ts";

await runProgram("novaedge-controller", CONTROLLER_FLAGS, runController);
