import { Http2Connection } from "../clients/http2_connection.ts";
import { pause, roll } from "../dice.ts";
import { judge } from "../judge.ts";
import { rollPlan } from "../plan.ts";
import { watched } from "../watchdog.ts";
import type { World } from "../world.ts";

/** Requests at once on a connection. */
const AT_ONCE = 6;
/** Most requests that each of them makes on it. */
const MOST = 20;
const THINK = 60;
/** Milliseconds before a new connection: those of a crashed worker do not come back all at once. */
const RECONNECT = 20;

/** One user of HTTP/2: connections one after the other, each with several requests at once. */
export async function http2User(world: World, secure: boolean): Promise<void> {
  const { gate, ledger, links, ports } = world;
  const name = secure ? "HTTP/2 over TLS" : "HTTP/2";
  while (!gate.stopped) {
    const connection = await connect();
    if (connection === null) continue;
    await Promise.all(Array.from({ length: AT_ONCE }, () => requests(connection)));
    if (connection.closed && !connection.left && !links.inCrash) {
      ledger.violate(`${name}: the edge ended a connection, GOAWAY ${connection.goAway}`);
    }
    connection.close();
    await pause(RECONNECT);
  }

  async function requests(connection: Http2Connection): Promise<void> {
    for (let i = roll(1, MOST); i > 0; i--) {
      if (!await gate.enter()) return;
      try {
        if (connection.closed) return;
        const plan = rollPlan("http2");
        const result = await watched(
          ledger,
          () => `${name} ${JSON.stringify(plan)}`,
          connection.exchange(plan),
          () => connection.close(),
        );
        judge(world, name, plan, result);
      } finally {
        gate.leave();
      }
      await pause(roll(0, THINK));
    }
  }

  async function connect(): Promise<Http2Connection | null> {
    if (!await gate.enter()) return null;
    try {
      return await Http2Connection.open(secure ? ports.tls : ports.plain, secure, links);
    } catch (error) {
      if (links.inCrash) ledger.ended(name, "worker crash", "connecting");
      else ledger.violate(`${name}: no connection: ${(error as Error).message}`);
      return null;
    } finally {
      gate.leave();
    }
  }
}
