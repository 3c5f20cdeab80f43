import { runProgram } from "../common/program.ts";
import { CONTROLLER_FLAGS, runController } from "./controller.ts";

await runProgram("novaedge-controller", CONTROLLER_FLAGS, runController);
