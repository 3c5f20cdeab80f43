/** Entry of the thread that checks passwords: bcrypt is meant to take long. */
import { parentPort } from "node:worker_threads";
import { compareSync } from "bcryptjs";
import { apr1Matches, isApr1 } from "../policy/apr1.ts";

interface Question {
  readonly id: number;
  readonly password: string;
  readonly hash: string;
}

parentPort!.on("message", ({ id, password, hash }: Question) => {
  let right = false;
  try {
    right = isApr1(hash) ? apr1Matches(password, hash) : compareSync(password, hash);
  } catch {
    // A hash that cannot be read is nobody's.
  }
  parentPort!.postMessage({ id, right });
});
