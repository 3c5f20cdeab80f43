/**
 * A listener in a process with few descriptors, which more clients ask than it can take at once. Prints its port, and
 * at the end what became of them.
 */
import { TurnEnd } from "../../../loop/turn_end.ts";
import { TICK, Ticker } from "../../../loop/ticker.ts";
import { freshTicketKey, rotateTicketKeys, TICKET_KEYS_SIZE } from "../../ticket_keys.ts";
import type { Connection } from "../../transport.ts";
import { UpstreamGuard } from "../../upstream_guard.ts";
import { Descriptors, DESCRIPTORS_SIZE } from "../descriptors.ts";
import { Libc } from "../libc.ts";
import { NativeTransport } from "../native_transport.ts";
import { Poller } from "../poller.ts";
import { SYSTEM_SETTINGS } from "../socket_options.ts";

const CLIENTS = 64;

// As programs do at their start: the runtime ends the process when it cannot open what this needs later.
Deno.addSignalListener("SIGUSR2", () => {});

const libc = new Libc(new Descriptors(new SharedArrayBuffer(DESCRIPTORS_SIZE), 1));
const now = () => performance.now();
const poller = new Poller(libc, now);
const ticker = new Ticker();
setInterval(() => ticker.tick(now()), TICK);
const ticketKeys = new SharedArrayBuffer(TICKET_KEYS_SIZE);
rotateTicketKeys(ticketKeys, freshTicketKey());
const transport = new NativeTransport({
  libc,
  poller,
  turnEnd: new TurnEnd((run) => poller.afterBatch(run)),
  ticker,
  guard: new UpstreamGuard({ blocked: [], allowed: [] }),
  ticketKeys,
  now,
  sockets: SYSTEM_SETTINGS,
});
const open: Connection[] = [];
let served = 0;
const listener = await transport.listen({
  address: "127.0.0.1",
  port: 0,
  tls: null,
  proxyHeader: () => null,
  admit: () => ({ moveTo: () => true, establish() {}, release() {}, evict() {} }),
  accept(connection) {
    open.push(connection);
    served++;
    return { onData() {}, onDrain() {}, onEnd() {}, onClose() {} };
  },
  onError(error) {
    throw error;
  },
});

const print = (value: unknown) =>
  Deno.stdout.writeSync(new TextEncoder().encode(`${JSON.stringify(value)}\n`));
print({ port: listener.port });
// The kernel has taken them all; the listener takes as many as it can.
let before = -1;
while (served !== before || served === 0) {
  before = served;
  await new Promise((resolve) => setTimeout(resolve, 300));
}
const taken = served;
while (served < CLIENTS) {
  for (const connection of open.splice(0)) connection.close();
  await new Promise((resolve) => setTimeout(resolve, 20));
}
print({ taken, waiting: CLIENTS - taken, after: served });
Deno.exit(0);
