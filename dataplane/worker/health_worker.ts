/** Entry of the thread that asks endpoints how they are, apart from traffic and from the main thread. */
import { parentPort, workerData } from "node:worker_threads";
import { Backend, Certificate, Node } from "../../proto/gen/novaedge/v1/config.ts";
import { Kind } from "../../proto/gen/novaedge/v1/distribution.ts";
import { HealthChecker } from "../health/health_checker.ts";
import { Overload } from "../loop/overload.ts";
import { TICK, Ticker } from "../loop/ticker.ts";
import { resolveName } from "../net/node/resolve_name.ts";
import { createTransport } from "../net/create_transport.ts";
import { UpstreamGuard } from "../net/upstream_guard.ts";
import { countersOf, countersSize } from "../observe/counters.ts";
import { AddressBook } from "../upstream/address_book.ts";
import { EndpointTable } from "../upstream/endpoint_table.ts";
import { Inflight, inflightSize } from "../upstream/inflight.ts";
import { backendTransport } from "./backend_transport.ts";
import { loadCertificate, type LoadedCertificate } from "./certificate.ts";
import type { HealthChange, HealthSetup } from "./health_thread.ts";
import { sharedClock } from "./shared_clock.ts";

/** Accuracy of timeouts and intervals, in milliseconds. */
const HEALTH_TICK = TICK / 4;

const setup = workerData as HealthSetup;
const port = parentPort!;
const ticker = new Ticker();
const guard = new UpstreamGuard(setup.upstreams);
const { transport, turnEnd } = createTransport(setup.transport, guard, ticker, () => true);
const certificates = new Map<string, LoadedCertificate>();
const backends = new Map<string, Backend>();
const slots = new Map<string, readonly number[]>();

const checker = new HealthChecker({
  transport,
  ticker,
  // Checks are not traffic: their connections are counted for nobody.
  counters: countersOf(new SharedArrayBuffer(countersSize(1)), 0),
  turnEnd,
  overload: new Overload(),
  addresses: new AddressBook(resolveName, () => performance.now()),
  random: Math.random,
  table: new EndpointTable(setup.endpoints),
  inflight: new Inflight(new SharedArrayBuffer(inflightSize(1, 1)), 0, 1),
  sharedNow: sharedClock(setup.clockOrigin),
  zone: "",
}, (backend, endpoint, problem) => port.postMessage({ backend, endpoint, problem }));

setInterval(() => ticker.tick(performance.now()), HEALTH_TICK);

port.on("message", ({ changes, backends: assigned }: HealthChange) => {
  for (const [name, own] of assigned) slots.set(name, own);
  const touched = new Set<string>();
  for (const { kind, name, body } of changes) {
    if (kind === Kind.KIND_BACKEND) {
      if (body === null) {
        backends.delete(name);
        slots.delete(name);
      } else backends.set(name, Backend.decode(body));
      touched.add(name);
    } else if (kind === Kind.KIND_CERTIFICATE) {
      for (const key of changeCertificate(name, body)) touched.add(key);
    } else if (kind === Kind.KIND_NODE) {
      guard.setNode(name, body === null ? null : Node.decode(body).addresses);
    }
  }
  for (const name of touched) update(name);
});

/** Returns the backends that are met with the certificate. */
function changeCertificate(name: string, body: Uint8Array | null): string[] {
  try {
    if (body === null) certificates.delete(name);
    else certificates.set(name, loadCertificate(Certificate.decode(body), transport));
  } catch {
    // Refused by the workers, who say why; the last one stays.
  }
  return [...backends].filter(([, { tls }]) => tls?.ca === name || tls?.clientCertificate === name)
    .map(([key]) => key);
}

function update(name: string): void {
  const backend = backends.get(name);
  if (backend === undefined) {
    checker.remove(name);
    return;
  }
  const transport = backendTransport(backend, certificates);
  // Without its certificates the backend is closed; nobody needs to ask.
  if (typeof transport === "string") checker.remove(name);
  else checker.update(name, backend, slots.get(name) ?? [], { ...transport, proxyProtocol: 0 });
}
