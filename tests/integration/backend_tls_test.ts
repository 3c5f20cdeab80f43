import assert from "node:assert/strict";
import type { AddressInfo } from "node:net";
import tls from "node:tls";
import { Authority, type Pair, secret } from "../support/authority.ts";
import { backend, documents, Edge, gateway } from "../support/edge.ts";
import { get } from "../support/http_client.ts";
import { freePort } from "../support/programs.ts";

interface TlsBackend {
  readonly port: number;
  /** Common names that clients presented, "" for none. */
  readonly clients: string[];
  close(): Promise<void>;
}

/** An HTTPS backend that answers with the server name asked for; `cutBody` ends an answer without its end. */
async function tlsBackend(
  pair: Pair,
  options: tls.TlsOptions = {},
  cutBody = false,
): Promise<TlsBackend> {
  const clients: string[] = [];
  const server = tls.createServer(
    { cert: pair.certificate, key: pair.key, ...options },
    (socket) => {
      clients.push(String(socket.getPeerCertificate()?.subject?.CN ?? ""));
      const name = (socket as unknown as { servername: string | false }).servername || "";
      socket.on("error", () => {});
      socket.on("data", () => {
        if (cutBody) {
          socket.write("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nhalf of the answer");
          socket.destroy();
        } else socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${name.length}\r\n\r\n${name}`);
      });
    },
  );
  server.on("tlsClientError", () => {});
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    port: (server.address() as AddressInfo).port,
    clients,
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
}

function secureBackend(name: string, port: number, tlsSpec: string, protocol = "HTTPS"): string {
  return `apiVersion: novaedge.io/v1alpha1
kind: ProxyBackend
metadata: { name: ${name} }
spec:
  protocol: ${protocol}
  endpoints: [{ address: 127.0.0.1, port: ${port} }]
  tls: ${tlsSpec}
`;
}

function prefixRoute(...names: string[]): string {
  const rules = names.map((name) => `
    - matches: [{ path: { type: PathPrefix, value: "/${name}" } }]
      backendRefs: [{ name: ${name} }]`);
  return `apiVersion: novaedge.io/v1alpha1
kind: ProxyRoute
metadata: { name: all }
spec:
  rules:${rules.join("")}
`;
}

Deno.test("backends by TLS: what they present is checked, and what they ask for is presented", async (t) => {
  const trusted = await Authority.create("trusted");
  const foreign = await Authority.create("foreign");
  const pair = await trusted.issue({ name: "inner", dns: ["inner.example.com"] });
  const ours = await trusted.issue({ name: "edge" });
  const good = await tlsBackend(pair);
  const asking = await tlsBackend(pair, {
    requestCert: true,
    rejectUnauthorized: true,
    ca: trusted.certificate,
  });
  const cutting = await tlsBackend(pair, {}, true);
  const port = freePort();
  const verified = "{ enabled: true, serverName: inner.example.com, caCertSecretRef: trusted }";
  await using _edge = await Edge.start({
    "all.yaml": documents(
      gateway("edge", port),
      prefixRoute("good", "name", "ca", "roots", "skip", "san", "no-san", "mtls", "cut", "plain"),
      secret("trusted", null, trusted.certificate),
      secret("foreign", null, foreign.certificate),
      secret("ours", ours),
      secureBackend("good", good.port, verified),
      secureBackend(
        "name",
        good.port,
        "{ enabled: true, serverName: other.example.com, caCertSecretRef: trusted }",
      ),
      secureBackend(
        "ca",
        good.port,
        "{ enabled: true, serverName: inner.example.com, caCertSecretRef: foreign }",
      ),
      secureBackend("roots", good.port, "{ enabled: true, serverName: inner.example.com }"),
      secureBackend("skip", good.port, "{ enabled: true, mode: skip-verify }"),
      secureBackend(
        "san",
        good.port,
        "{ enabled: true, caCertSecretRef: trusted, subjectAltNames: [x, inner.example.com] }",
      ),
      secureBackend(
        "no-san",
        good.port,
        "{ enabled: true, caCertSecretRef: trusted, subjectAltNames: [x] }",
      ),
      secureBackend(
        "mtls",
        asking.port,
        "{ enabled: true, mode: mtls, serverName: inner.example.com, caCertSecretRef: trusted, clientCertSecretRef: ours }",
      ),
      secureBackend("cut", cutting.port, verified),
      backend("plain", good.port),
    ),
  });
  const reason = async (path: string) => {
    const { status, body } = await get(port, path);
    return `${status} ${body.trim()}`;
  };
  await t.step("a valid one serves, with the name as SNI", async () => {
    assert.equal(await reason("/good"), "200 inner.example.com");
  });
  await t.step("wrong name, foreign authority, unknown root: refused", async () => {
    for (const path of ["/name", "/ca", "/roots", "/no-san"]) {
      assert.equal(await reason(path), "502 502 upstream_tls", path);
    }
  });
  await t.step("unless told not to look", async () => {
    assert.match(await reason("/skip"), /^200/);
    assert.match(await reason("/san"), /^200/);
  });
  await t.step("our certificate is presented where it is asked for", async () => {
    assert.equal(await reason("/mtls"), "200 inner.example.com");
    assert.deepEqual(asking.clients, ["edge"]);
  });
  await t.step("an answer that ends without close_notify is cut for the client too", async () => {
    const answer = await get(port, "/cut");
    assert.ok(answer.status === 502 || !answer.complete, `${answer.status} ${answer.body}`);
  });
  await t.step("plain HTTP to a TLS port is an error, not an answer", async () => {
    assert.match(await reason("/plain"), /^502/);
  });
  for (const server of [good, asking, cutting]) void server.close();
});
