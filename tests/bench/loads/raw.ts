import { denoCommand } from "../runtime.ts";
import type { Scene } from "../scene.ts";
import { answersHttp1 } from "./answers.ts";
import type { LoadGenerator } from "./load.ts";

/** Requests of HTTP/1.1 by a script of ours. */
export function rawLoad(scene: Scene): LoadGenerator {
  return {
    description: "our raw generator (wrk is missing)",
    check: answersHttp1,
    async run({ core, ...plan }) {
      const command = denoCommand("tests/bench/raw_load.ts", [JSON.stringify(plan)]);
      return JSON.parse(await scene.run("load", command, { core }));
    },
  };
}
