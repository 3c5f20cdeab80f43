import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { Authority, type Pair, secret } from "../support/authority.ts";
import { httpBackend } from "../support/backends.ts";
import { backend, documents, Edge, route } from "../support/edge.ts";
import { type Answer, HttpConnection } from "../support/http_client.ts";
import { freePort } from "../support/programs.ts";

const BUNDLE = "clients";

function listeners(port: number, extra = ""): string {
  const auth = (mode: string, more = "") =>
    `clientAuth: { mode: ${mode}, caCertRef: { name: ${BUNDLE} }${more} }`;
  const listener = (name: string, more: string) => `
    - name: ${name}
      port: ${port}
      protocol: HTTPS
      address: 127.0.0.1
      hostnames: ["${name}.example.com"]
      tls: { secretRef: { name: server } }
      ${more}`;
  return `apiVersion: novaedge.io/v1alpha1
kind: ProxyGateway
metadata: { name: edge }
spec:
  listeners:${listener("open", extra)}${listener("required", auth("require"))}${
    listener("optional", auth("optional"))
  }${listener("named", auth("require", ', requiredCNPatterns: ["*.svc"], requiredSANs: [api]'))}${
    listener("lost", "clientAuth: { mode: optional, caCertRef: { name: nowhere } }")
  }
`;
}

/** A request on a connection of its own; null when the connection ended without an answer. */
async function ask(
  port: number,
  name: string,
  client: Pair | null,
  options: { host?: string; version?: "TLSv1.2" | "TLSv1.3" } = {},
): Promise<Answer | null> {
  const { host = name, version = "TLSv1.3" } = options;
  try {
    using connection = await HttpConnection.open(port, {
      tls: {
        servername: `${name}.example.com`,
        minVersion: version,
        maxVersion: version,
        ...(client === null ? {} : { cert: client.certificate, key: client.key }),
      },
    });
    const answer = await connection.request("GET", "/", {
      host: `${host}.example.com`,
      "x-forwarded-client-cert": "forged",
    });
    return answer.status === 0 ? null : answer;
  } catch {
    return null;
  }
}

Deno.test("client certificates: required, optional, by name, and never on trust of the TLS layer", async (t) => {
  const trusted = await Authority.create("trusted");
  const foreign = await Authority.create("foreign");
  const good = await trusted.issue({ name: "a.svc", dns: ["api"], uris: ["spiffe://a/b"] });
  const other = await trusted.issue({ name: "b.web", dns: ["web"] });
  const serverOnly = await trusted.issue({ name: "c.svc", usages: ["server"] });
  const expired = await trusted.issue({ name: "d.svc", from: -5, until: -1 });
  const alien = await foreign.issue({ name: "a.svc", dns: ["api"] });
  const old = await trusted.issueFirstVersion("old.svc");
  await using echo = httpBackend((request) =>
    new Response(request.headers.get("x-forwarded-client-cert") ?? "nobody")
  );
  const port = freePort();
  const files = {
    "gateway.yaml": listeners(port),
    "rest.yaml": documents(
      secret("server", await trusted.issue({ name: "server", dns: ["*.example.com"] })),
      secret(BUNDLE, null, trusted.certificate),
      route("all", "echo"),
      backend("echo", echo.port),
    ),
  };
  await using edge = await Edge.start(files);
  for (const version of ["TLSv1.2", "TLSv1.3"] as const) {
    await t.step(`${version}: who has no valid certificate is not let in`, async () => {
      assert.equal((await ask(port, "open", null, { version }))?.body, "nobody");
      for (const client of [null, serverOnly, expired, alien]) {
        assert.equal(await ask(port, "required", client, { version }), null);
      }
      const answer = await ask(port, "required", good, { version });
      assert.match(answer!.body, /^Hash=[0-9a-f]{64};Subject="CN=a.svc";/);
      assert.match(answer!.body, /URI=spiffe:\/\/a\/b/);
      // As nginx does it: version 1 has no extension that could say something against it.
      assert.match((await ask(port, "required", old, { version }))!.body, /CN=old.svc/);
    });
    await t.step(`${version}: an optional one is checked when it is there`, async () => {
      assert.equal((await ask(port, "optional", null, { version }))?.body, "nobody");
      assert.match((await ask(port, "optional", other, { version }))!.body, /CN=b.web/);
      assert.equal(await ask(port, "optional", alien, { version }), null);
    });
    await t.step(`${version}: names decide where they are asked for`, async () => {
      assert.equal(await ask(port, "named", other, { version }), null);
      assert.match((await ask(port, "named", good, { version }))!.body, /CN=a.svc/);
    });
  }
  await t.step("a name without its authorities is closed", async () => {
    assert.equal(await ask(port, "lost", null), null);
    assert.equal(await ask(port, "lost", good), null);
  });
  await t.step(
    "the Host of another listener is misdirected, with and without certificate",
    async () => {
      assert.equal((await ask(port, "open", null, { host: "required" }))?.status, 421);
      assert.equal((await ask(port, "required", good, { host: "open" }))?.status, 421);
      assert.equal((await ask(port, "required", good, { host: "unknown" }))?.status, 404);
    },
  );
  await t.step("other authorities end connections that the old ones let in", async () => {
    using connection = await HttpConnection.open(port, {
      tls: { servername: "required.example.com", cert: good.certificate, key: good.key },
    });
    assert.equal(
      (await connection.request("GET", "/", { host: "required.example.com" })).status,
      200,
    );
    await edge.change("more.yaml", secret("unrelated", null, foreign.certificate));
    assert.equal(
      (await connection.request("GET", "/", { host: "required.example.com" })).status,
      200,
    );
    await edge.change(
      "rest.yaml",
      files["rest.yaml"].replace(btoa(trusted.certificate), btoa(foreign.certificate)),
    );
    assert.equal((await connection.answer()).status, 0);
    assert.equal(await ask(port, "required", good), null);
    assert.match((await ask(port, "required", alien))!.body, /CN=a.svc/);
  });
});

Deno.test("bug: a client's chain with keys of any kind, or names of any characters, ends no worker", async () => {
  const stranger = await Authority.create("issuer of strangers");
  const trusted = await Authority.create("trusted");
  const pair = await stranger.issue({ name: "stranger" });
  const smile = await trusted.issue({ name: "\u{1F600}", organization: "\u{1F600}" });
  const server = await trusted.issue({ name: "server", dns: ["*.example.com"] });
  await using echo = httpBackend((request) =>
    new Response(request.headers.get("x-forwarded-client-cert") ?? "nobody")
  );
  const port = freePort();
  await using edge = await Edge.start({
    "gateway.yaml": listeners(port),
    "rest.yaml": documents(
      secret("server", server),
      secret(BUNDLE, null, trusted.certificate),
      route("all", "echo"),
      backend("echo", echo.port),
    ),
  }, { workers: 1 });
  using bystander = await HttpConnection.open(port, { tls: { servername: "open.example.com" } });
  const served = async () =>
    (await bystander.request("GET", "/", { host: "open.example.com" })).status;
  assert.equal(await served(), 200);
  const testdata = new URL("../../dataplane/net/x509/testdata/", import.meta.url);
  const issuers = (await Deno.readTextFile(new URL("strange_issuers.pem", testdata)))
    .split(/^# .*\n/m).filter((text) => text !== "");
  assert.ok(issuers.length >= 12);
  for (const issuer of issuers) {
    const certificate = `${pair.certificate}\n${issuer}`;
    assert.equal(await ask(port, "required", { certificate, key: pair.key }), null);
  }
  assert.match(
    (await ask(port, "required", smile))!.body,
    /Subject="O=%F0%9F%98%80,CN=%F0%9F%98%80"/,
  );
  assert.equal(await served(), 200, "on the connection that was open all the time");
  const refused =
    'novaedge_client_certificates_refused_total{listener="ProxyGateway/default/edge/required"}';
  assert.equal(await edge.metric(refused), issuers.length);
  assert.equal(await edge.metric("novaedge_internal_errors_total"), 0);
  await edge.dataplane.line(/no trusted authority.*client certificate refused/);
});

Deno.test("a session ticket does not outlive the demand for a certificate", async () => {
  const trusted = await Authority.create();
  await using echo = httpBackend(() => new Response("hello"));
  const port = freePort();
  const gateway = (auth: string) =>
    `apiVersion: novaedge.io/v1alpha1
kind: ProxyGateway
metadata: { name: edge }
spec:
  listeners:
    - { name: a, port: ${port}, protocol: HTTPS, address: 127.0.0.1, tls: { secretRef: { name: server } }${auth} }
`;
  const server = await trusted.issue({ name: "server", dns: ["a.example.com"] });
  await using edge = await Edge.start({
    "gateway.yaml": gateway(""),
    "rest.yaml": documents(
      secret("server", server),
      secret(BUNDLE, null, trusted.certificate),
      route("all", "echo"),
      backend("echo", echo.port),
    ),
  }, { workers: 1 });
  // A client that keeps sessions by hand: Node's, which is there where npm is.
  const script = `
const tls = require("node:tls");
let session;
const ask = () => new Promise((resolve) => {
  let text = "";
  const socket = tls.connect({ port: ${port}, host: "127.0.0.1", servername: "a.example.com", rejectUnauthorized: false, session });
  let reused;
  socket.on("secureConnect", () => {
    reused = socket.isSessionReused();
    socket.write("GET / HTTP/1.1\\r\\nhost: a.example.com\\r\\nconnection: close\\r\\n\\r\\n");
  });
  socket.on("session", (kept) => session = kept);
  socket.on("data", (data) => text += data);
  socket.on("error", () => {});
  socket.on("close", () => resolve((text.slice(9, 12) || "closed") + " " + reused));
});
(async () => {
  console.log(await ask());
  console.log(await ask());
  await new Promise((resolve) => process.stdin.once("data", resolve));
  console.log(await ask());
  process.exit(0);
})();
`;
  const child = new Deno.Command("node", {
    args: ["-e", script],
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const lines = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  const writer = child.stdin.getWriter();
  let text = "";
  const line = async (count: number) => {
    while (text.split("\n").length <= count) {
      const { value, done } = await lines.read();
      if (done) break;
      text += value;
    }
    return text.split("\n")[count - 1];
  };
  try {
    assert.equal(await line(1), "200 false");
    assert.equal(await line(2), "200 true");
    await edge.change(
      "gateway.yaml",
      gateway(`, clientAuth: { mode: require, caCertRef: { name: ${BUNDLE} } }`),
    );
    await writer.write(new TextEncoder().encode("go\n"));
    assert.match(await line(3), /^closed /);
  } finally {
    await writer.close().catch(() => {});
    await child.status;
    await lines.cancel();
  }
});

Deno.test("a client whose certificate was taken back is refused from the next connection on", async () => {
  const authority = await Authority.create();
  const [server, client] = await Promise.all([
    authority.issue({ name: "server", dns: ["required.example.com"] }),
    authority.issue({ name: "client" }),
  ]);
  await using backends = httpBackend(() => new Response("ok"));
  const port = freePort();
  const { serialNumber } = new X509Certificate(client.certificate);
  const bundle = async (...serials: string[]) => {
    const lists = await authority.revoke(serials, new Date(Date.now() + 86_400_000));
    const data = { "ca.crt": btoa(authority.certificate), "ca.crl": btoa(lists) };
    return `apiVersion: v1
kind: Secret
metadata: { name: ${BUNDLE} }
type: Opaque
data: ${JSON.stringify(data)}
`;
  };
  await using edge = await Edge.start({
    "all.yaml": documents(
      listeners(port),
      secret("server", server),
      backend("all", backends.port),
      route("all", "all"),
    ),
    "bundle.yaml": await bundle(),
  });
  assert.equal((await ask(port, "required", client))?.status, 200);
  await edge.change("bundle.yaml", await bundle(serialNumber));
  assert.equal(await ask(port, "required", client), null);
  await edge.change("bundle.yaml", await bundle());
  assert.equal((await ask(port, "required", client))?.status, 200);
});
