import { Http1Connection } from "../clients/http1_connection.ts";
import { chance, pause, roll } from "../dice.ts";
import { judge } from "../judge.ts";
import { type Plan, rollPlan } from "../plan.ts";
import { watched } from "../watchdog.ts";
import type { World } from "../world.ts";

/** Most requests on a keep-alive connection. */
const MOST = 60;
/** Most milliseconds between two requests of one client. */
const THINK = 40;

/** One user of HTTP/1.1: connections one after the other, some kept for many requests. */
export async function http1User(world: World, secure: boolean): Promise<void> {
  const { gate, ledger, links, ports } = world;
  const name = secure ? "HTTP/1.1 over TLS" : "HTTP/1.1";
  while (!gate.stopped) {
    let connection: Http1Connection | null = null;
    let last: Plan | null = null;
    const requests = chance(0.3) ? 1 : roll(2, MOST);
    for (let i = 0; i < requests && connection?.reusable !== false; i++) {
      if (!await gate.enter()) break;
      try {
        // The first request follows at once: the edge gives a new connection a limited time for it.
        connection ??= await connect();
        if (connection === null || connection.closed) break;
        const open = connection;
        const plan = last = rollPlan(secure ? "http1-tls" : "http1");
        const result = await watched(
          ledger,
          () => `${name} ${JSON.stringify(plan)}`,
          open.exchange(plan),
          () => open.close(),
        );
        judge(world, name, plan, result);
      } finally {
        gate.leave();
      }
      await pause(roll(0, THINK));
    }
    if (connection === null) continue;
    // The edge has no reason to end a connection that it has not announced to end.
    if (connection.closed && connection.reusable && !links.inCrash) {
      ledger.violate(
        `${name}: the edge ended an idle connection ${connection.malformed} after ${
          JSON.stringify(last)
        }`,
      );
    }
    connection.close();
  }

  async function connect(): Promise<Http1Connection | null> {
    try {
      return await Http1Connection.open(secure ? ports.tls : ports.plain, secure, links);
    } catch (error) {
      if (links.inCrash) ledger.ended(name, "worker crash", "connecting");
      else ledger.violate(`${name}: no connection: ${(error as Error).message}`);
      return null;
    }
  }
}
