/** Entry of the thread that checks passwords: bcrypt is meant to take long. */
import { parentPort } from "node:worker_threads";
import { compareSync } from "bcryptjs";

interface Question {
  readonly id: number;
  readonly password: string;
  readonly hash: string;
}

parentPort!.on("message", ({ id, password, hash }: Question) => {
  let right = false;
  try {
    right = compareSync(password, hash);
  } catch {
    // A hash that cannot be read is nobody's.
  }
  parentPort!.postMessage({ id, right });
});
