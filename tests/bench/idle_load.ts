/**
 * Opens connections, asks once on each and keeps them. Usage: idle_load.ts JSON, a plan as `idle.ts`
 * has it. Prints a line of JSON when all have been answered or have failed, then a line for each
 * connection that is lost.
 */
import type { IdleOpened, IdlePlan } from "./idle.ts";
import { getRequest, RawClient } from "./raw_client.ts";

/** Connections being opened at once: handshakes queue up at the proxy, whose time for each is limited. */
const AT_ONCE = 32;
/** Source addresses 127.0.0.2 and up: one address has too few ports, and its number is limited. */
const ADDRESSES = 8;

const plan = JSON.parse(Deno.args[0]) as IdlePlan;
const request = getRequest(plan.host, "/");
const kept: RawClient[] = [];
const failures: string[] = [];
let turn = 0;

function say(line: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
}

function open(index: number): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  let answered = false;
  const client: RawClient = new RawClient(plan.port, {
    onAnswer({ status }) {
      answered = true;
      if (status === 200) kept.push(client);
      else failures.push(`status ${status}`);
      resolve();
    },
    onEnd(reason) {
      if (answered) say(`lost: ${reason}`);
      else failures.push(reason);
      resolve();
    },
  }, { tls: plan.tls, from: `127.0.0.${2 + index % ADDRESSES}` });
  client.send(request);
  return promise;
}

async function drive(): Promise<void> {
  while (turn < plan.connections) await open(turn++);
}

await Promise.all(Array.from({ length: AT_ONCE }, drive));
const opened: IdleOpened = {
  open: kept.length,
  failed: failures.length,
  firstFailure: failures[0] ?? "",
};
say(JSON.stringify(opened));
