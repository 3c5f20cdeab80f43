import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { selfSigned } from "../../standalone/demo/demo_folder.ts";
import { textBackend } from "../support/backends.ts";
import { backend, documents, Edge, route } from "../support/edge.ts";
import { get, HttpConnection } from "../support/http_client.ts";
import { freePort } from "../support/programs.ts";

interface Pair {
  readonly certificate: string;
  readonly key: string;
}

function secret(name: string, { certificate, key }: Pair): string {
  const encoded = (text: string) => btoa(text);
  return `apiVersion: v1
kind: Secret
metadata: { name: ${name} }
type: kubernetes.io/tls
data: { tls.crt: ${encoded(certificate)}, tls.key: ${encoded(key)} }
`;
}

function httpsGateway(port: number, plainPort: number): string {
  return `apiVersion: novaedge.io/v1alpha1
kind: ProxyGateway
metadata: { name: edge }
spec:
  listeners:
    - { name: http, port: ${plainPort}, protocol: HTTP, address: 127.0.0.1 }
    - name: shop
      port: ${port}
      protocol: HTTPS
      address: 127.0.0.1
      hostnames: ["shop.example.com", "*.shop.example.com"]
      tls: { secretRef: { name: shop } }
      tlsCertificates:
        "*.shop.example.com": { secretRef: { name: wildcard } }
    - name: pay
      port: ${port}
      protocol: HTTPS
      address: 127.0.0.1
      hostnames: ["pay.example.com"]
      tls: { secretRef: { name: pay } }
`;
}

const HANDSHAKE = `
import tls from "node:tls";
const [port, servername] = Deno.args;
const socket = tls.connect({ port: Number(port), host: "127.0.0.1", servername, rejectUnauthorized: false });
socket.once("secureConnect", () => {
  console.log(socket.getPeerCertificate().fingerprint256);
  Deno.exit(0);
});
socket.once("error", () => Deno.exit(1));
socket.once("close", () => Deno.exit(1));
`;

/**
 * Fingerprint of the certificate served for a name, by a full handshake: in a process of its own, since
 * the runtime's client resumes sessions, which show the certificate of the first handshake.
 */
async function served(port: number, servername: string): Promise<string> {
  const { code, stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["eval", HANDSHAKE, String(port), servername],
  }).output();
  if (code !== 0) throw new Error(`no handshake for ${servername}`);
  return new TextDecoder().decode(stdout).trim();
}

const fingerprint = ({ certificate }: Pair) => new X509Certificate(certificate).fingerprint256;

Deno.test("TLS: certificates by server name, reload without touching connections, misdirection", async () => {
  await using blue = textBackend("blue");
  const names = ["shop.example.com", "*.shop.example.com", "pay.example.com", "other.example.com"];
  const [shop, wildcard, pay, renewed] = await Promise.all(names.map((name) => selfSigned([name])));
  const port = freePort();
  const plain = freePort();
  const secrets = documents(secret("shop", shop), secret("wildcard", wildcard), secret("pay", pay));
  await using edge = await Edge.start({
    "gateway.yaml": documents(
      httpsGateway(port, plain),
      backend("blue", blue.port),
      route("all", "blue"),
    ),
    "secrets.yaml": secrets,
  });
  assert.equal(await served(port, "shop.example.com"), fingerprint(shop));
  assert.equal(await served(port, "a.shop.example.com"), fingerprint(wildcard));
  assert.equal(await served(port, "pay.example.com"), fingerprint(pay));
  await assert.rejects(served(port, "unknown.example.com"));

  using kept = await HttpConnection.open(port, { tls: { servername: "shop.example.com" } });
  const host = { host: "shop.example.com" };
  const first = await kept.request("GET", "/", host);
  assert.equal(first.body, "blue");
  // Another listener of the port serves this host: the request is on the wrong connection.
  assert.equal((await kept.request("GET", "/", { host: "pay.example.com" })).status, 421);
  assert.equal((await kept.request("GET", "/", { host: "none.example.com" })).status, 404);

  await edge.change(
    "secrets.yaml",
    documents(secret("shop", renewed), secret("wildcard", wildcard), secret("pay", pay)),
  );
  assert.equal(await served(port, "shop.example.com"), fingerprint(renewed));
  assert.equal((await kept.request("GET", "/", host)).status, 200);
  assert.equal(kept.ended, false);

  // A key of another certificate: what was accepted before it serves on.
  await edge.change(
    "secrets.yaml",
    documents(
      secret("shop", renewed),
      secret("wildcard", wildcard),
      secret("pay", { ...pay, key: shop.key }),
    ),
  );
  assert.equal(await served(port, "pay.example.com"), fingerprint(pay));
  assert.equal(await served(port, "shop.example.com"), fingerprint(renewed));
  assert.equal((await get(plain)).status, 200);
  const config = JSON.stringify(await edge.json("/config"));
  assert.match(
    config,
    /tls\.key does not belong to tls\.crt; the version read at \S+ keeps serving/,
  );
  assert.doesNotMatch(config, /PRIVATE KEY/);
});
