import { runProgram } from "../common/program.ts";
import { AGENT_FLAGS, runAgent } from "./agent.ts";

await runProgram("novaedge-agent", AGENT_FLAGS, (flags, signal) => runAgent(flags, signal));
