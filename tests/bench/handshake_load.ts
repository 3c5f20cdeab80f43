/**
 * Connections that end after their handshake. Usage: handshake_load.ts JSON, a plan as `loads/load.ts` has it; prints
 * a report as JSON. It costs less than a handshake costs a server, so that one core of it keeps one of those busy.
 */
import { Ticker } from "../../dataplane/loop/ticker.ts";
import { createTransport } from "../../dataplane/net/create_transport.ts";
import { DESCRIPTORS_SIZE } from "../../dataplane/net/native/descriptors.ts";
import { nativeProblem } from "../../dataplane/net/native/native_problem.ts";
import { SYSTEM_SETTINGS } from "../../dataplane/net/native/socket_options.ts";
import { TICKET_KEYS_SIZE } from "../../dataplane/net/ticket_keys.ts";
import { type ClientTls, type Connection, NOBODY } from "../../dataplane/net/transport.ts";
import { UpstreamGuard } from "../../dataplane/net/upstream_guard.ts";
import type { LoadPlan, LoadReport } from "./loads/load.ts";

const plan = JSON.parse(Deno.args[0]) as LoadPlan;
const { transport } = createTransport(
  {
    name: nativeProblem() === "" ? "native" : "node",
    thread: 1,
    sockets: SYSTEM_SETTINGS,
    ticketKeys: new SharedArrayBuffer(TICKET_KEYS_SIZE),
    descriptors: new SharedArrayBuffer(DESCRIPTORS_SIZE),
  },
  new UpstreamGuard({ blocked: [], allowed: [] }),
  new Ticker(),
  () => true,
);
const settings: ClientTls = {
  serverName: plan.hosts[0],
  ca: null,
  identity: null,
  sans: [],
  insecure: true,
};
let done = 0;
let resumed = 0;
const failures = new Map<string, number>();
const start = performance.now();
const end = start + plan.seconds * 1_000;

/** One connection after another until the time is up. */
function drive(over: () => void): void {
  if (performance.now() >= end) {
    over();
    return;
  }
  let complete = false;
  const connection: Connection = transport.connect({
    host: "127.0.0.1",
    port: plan.port,
    preamble: null,
    tls: settings,
    alpn: [],
    endpointName: plan.hosts[0],
    events: {
      ...NOBODY,
      onClose(error) {
        if (!complete) {
          const reason = error?.message ?? "closed";
          failures.set(reason, (failures.get(reason) ?? 0) + 1);
        }
        drive(over);
      },
    },
    onConnect() {
      complete = true;
      done++;
      if (connection.tls!.resumed) resumed++;
      connection.end();
    },
  });
}

await Promise.all(
  Array.from({ length: plan.connections }, () => new Promise<void>((resolve) => drive(resolve))),
);
const errors = [...failures].map(([reason, count]) => `${count} x ${reason}`);
if (resumed > 0) errors.push(`resumed sessions: ${resumed}`);
const report: LoadReport = {
  done,
  bytes: 0,
  seconds: (performance.now() - start) / 1_000,
  p50: NaN,
  p99: NaN,
  errors: errors.join("; "),
};
Deno.stdout.writeSync(new TextEncoder().encode(JSON.stringify(report)));
Deno.exit(0);
