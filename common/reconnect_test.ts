import assert from "node:assert/strict";
import { keepConnected } from "./reconnect.ts";

Deno.test("keepConnected() tries again after every end until it is aborted", async () => {
  const abort = new AbortController();
  let tries = 0;
  const attempt = (established: () => void) => {
    if (++tries === 2) established();
    if (tries === 4) abort.abort();
    return Promise.resolve(`reason ${tries}`);
  };
  const said: string[] = [];
  await keepConnected(
    attempt,
    { initial: 1, maximum: 2, warn: (reason) => said.push(reason) },
    abort.signal,
  );
  assert.equal(tries, 4);
  assert.deepEqual(said, [], "a short outage is not worth a warning");
});

Deno.test("keepConnected() does nothing when it is aborted before", async () => {
  const attempt = () => Promise.reject(new Error("not to be called"));
  await keepConnected(attempt, { initial: 1, maximum: 1, warn() {} }, AbortSignal.abort());
});
