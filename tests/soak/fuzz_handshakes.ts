/**
 * Certificates of any structure over real handshakes: chains of clients at a listener that demands one,
 * and certificates of a backend whose names are checked. After each batch others are still served, no
 * worker has died, and no fault of our own is counted.
 */
import type { Buffer } from "node:buffer";
import type { Socket } from "node:net";
import tls from "node:tls";
import { nativeProblem } from "../../dataplane/net/native/native_problem.ts";
import { Authority, type Pair, secret } from "../support/authority.ts";
import { textBackend } from "../support/backends.ts";
import { backend, documents, Edge } from "../support/edge.ts";
import { get, HttpConnection } from "../support/http_client.ts";
import { Metrics } from "../support/metrics.ts";
import { freePort } from "../support/programs.ts";
import { CertificateDice, pemOf } from "./certificate_dice.ts";
import { Dice } from "./fuzz_dice.ts";
import type { Fuzzed } from "./fuzzing.ts";

/** Handshakes of either side between two looks at the edge. */
const BATCH = 30;
/** Milliseconds that a handshake may take before its client gives up. */
const PATIENCE = 5_000;
const REQUEST = "GET / HTTP/1.1\r\nHost: open.test\r\nConnection: close\r\n\r\n";
const ANSWER = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

interface Ports {
  readonly plain: number;
  readonly secure: number;
  readonly inner: number;
  readonly blue: number;
}

function resources(ports: Ports, server: Pair, authorities: string): Record<string, string> {
  const { plain, secure, inner, blue } = ports;
  const tlsBackend = (name: string, options: string) =>
    `apiVersion: novaedge.io/v1alpha1
kind: ProxyBackend
metadata: { name: ${name} }
spec:
  protocol: HTTPS
  endpoints: [{ address: 127.0.0.1, port: ${inner} }]
  tls: { enabled: true, caCertSecretRef: authorities, ${options} }
`;
  const rule = (path: string, name: string) => `
    - matches: [{ path: { type: PathPrefix, value: "${path}" } }]
      backendRefs: [{ name: ${name} }]`;
  return {
    "all.yaml": documents(
      `apiVersion: novaedge.io/v1alpha1
kind: ProxyGateway
metadata: { name: edge }
spec:
  listeners:
    - { name: http, port: ${plain}, protocol: HTTP, address: 127.0.0.1 }
    - name: open
      port: ${secure}
      protocol: HTTPS
      address: 127.0.0.1
      hostnames: [open.test]
      tls: { secretRef: { name: server } }
    - name: closed
      port: ${secure}
      protocol: HTTPS
      address: 127.0.0.1
      hostnames: [closed.test]
      tls: { secretRef: { name: server } }
      clientAuth: { mode: require, caCertRef: { name: authorities } }
`,
      secret("server", server),
      secret("authorities", null, authorities),
      backend("blue", blue),
      tlsBackend("named", "serverName: boss.test"),
      tlsBackend("listed", "subjectAltNames: [boss.test, spiffe://a/b]"),
      `apiVersion: novaedge.io/v1alpha1
kind: ProxyRoute
metadata: { name: all }
spec:
  rules:${rule("/named", "named")}${rule("/listed", "listed")}${rule("/", "blue")}
`,
    ),
  };
}

/** Presents a chain; returns whether it was answered, null where our own library does not take it. */
function present(port: number, chain: string, key: string): Promise<boolean | null> {
  return new Promise((resolve) => {
    let socket: tls.TLSSocket;
    try {
      socket = tls.connect({
        ...{ host: "127.0.0.1", port, servername: "closed.test", cert: chain, key },
        rejectUnauthorized: false,
      });
    } catch {
      resolve(null);
      return;
    }
    let answered = false;
    const guard = setTimeout(() => socket.destroy(), PATIENCE);
    socket.on("secureConnect", () => socket.write(REQUEST.replace("open", "closed")));
    socket.on("data", (bytes: Buffer) => answered ||= bytes.includes(" 200 "));
    socket.on("error", () => socket.destroy());
    socket.on("end", () => socket.destroy());
    socket.on("close", () => {
      clearTimeout(guard);
      resolve(answered);
    });
  });
}

/** A backend on a port for as long as it presents one certificate; null where our library does not take it. */
async function serve(port: number, { certificate, key }: Pair): Promise<AsyncDisposable | null> {
  let server: tls.Server;
  try {
    server = tls.createServer({ cert: certificate, key });
  } catch {
    return null;
  }
  const sockets = new Set<Socket>();
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => sockets.delete(socket));
  });
  server.on("tlsClientError", () => {});
  server.on("secureConnection", (socket: tls.TLSSocket) => {
    socket.on("error", () => {});
    socket.on("data", () => socket.end(ANSWER));
  });
  const listening = await new Promise<boolean>((resolve) => {
    server.on("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => resolve(true));
  });
  if (!listening) return null;
  return {
    [Symbol.asyncDispose]: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}

/** What of an edge is not as it should be. */
async function problemsOf(edge: Edge, ports: Ports): Promise<string[]> {
  const problems: string[] = [];
  try {
    using client = await HttpConnection.open(ports.secure, { tls: { servername: "open.test" } });
    const { status } = await client.request("GET", "/", { host: "open.test" });
    if (status !== 200) problems.push(`another client got ${status}`);
  } catch (error) {
    problems.push(`another client got ${(error as Error).message}`);
  }
  const metrics = await Metrics.read(edge);
  for (const name of ["novaedge_worker_deaths_total", "novaedge_internal_errors_total"]) {
    if (metrics.sum(name) !== 0) problems.push(`${name} is ${metrics.sum(name)}`);
  }
  return problems;
}

/**
 * Makes handshakes with a dataplane for some time.
 * @param seed of the dice
 * @param transport of the dataplane
 */
export async function fuzzHandshakes(
  milliseconds: number,
  seed: number,
  transport: "node" | "native",
): Promise<Fuzzed> {
  const problem = transport === "native" ? nativeProblem() : "";
  if (problem !== "") return { summary: `left out: the native transport ${problem}`, failures: [] };
  const dice = new Dice(seed);
  const made = await CertificateDice.create(dice);
  const authority = await Authority.create();
  const server = await authority.issue({ name: "server", dns: ["open.test", "closed.test"] });
  await using blue = textBackend("blue");
  const ports = { plain: freePort(), secure: freePort(), inner: freePort(), blue: blue.port };
  await using edge = await Edge.start(resources(ports, server, pemOf(made.trusted)), {
    workers: 1,
    dataplaneArgs: ["--transport", transport],
  });
  const counts = { chains: 0, admitted: 0, servers: 0, trusted: 0, skipped: 0 };
  const failures: string[] = [];
  const end = performance.now() + milliseconds;
  while (performance.now() < end && failures.length === 0) {
    const chains = Array.from({ length: BATCH }, () => made.presentable().map(pemOf).join(""));
    const answers = await Promise.all(
      chains.map((chain) => present(ports.secure, chain, made.leafKey)),
    );
    const servers: string[] = [];
    for (let i = 0; i < BATCH / 3; i++) {
      const pair = made.server();
      await using running = await serve(ports.inner, pair);
      if (running === null) counts.skipped++;
      else {
        servers.push(pair.certificate);
        for (const path of ["/named", "/listed"]) {
          const { status } = await get(ports.plain, path);
          if (status === 200) counts.trusted++;
          else if (status !== 502) failures.push(`${path}: ${status} for ${pair.certificate}`);
        }
      }
    }
    counts.servers += servers.length;
    for (const answer of answers) {
      if (answer === null) counts.skipped++;
      else counts.chains++;
      if (answer === true) counts.admitted++;
    }
    for (const found of await problemsOf(edge, ports)) {
      failures.push(`${found} after one of ${JSON.stringify([...chains, ...servers])}`);
    }
  }
  if (counts.admitted === 0) failures.push("no chain was admitted: names were not read");
  if (counts.trusted === 0) failures.push("no backend was trusted");
  const { chains, admitted, servers, trusted, skipped } = counts;
  return {
    summary:
      `${transport}: ${chains} chains of clients, ${admitted} of them admitted; ${servers} ` +
      `certificates of backends, ${trusted} requests answered by them; ${skipped} not presented`,
    failures,
  };
}
