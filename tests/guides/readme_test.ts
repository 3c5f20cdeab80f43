import assert from "node:assert/strict";
import { join } from "node:path";
import { echo } from "../../standalone/demo/echo.ts";
import { Authority, secret } from "../support/authority.ts";
import { documents, Edge, route } from "../support/edge.ts";
import { HttpConnection } from "../support/http_client.ts";
import { readGuide } from "./guide.ts";
import { Ports, tryExample } from "./playground.ts";

const README = await Deno.readTextFile(join(import.meta.dirname!, "../../README.md"));
const [MINIMAL, SECURE] = [...README.matchAll(/^```yaml\n(.*?)^```$/gms)].map(([, text]) => text);

Deno.test("README: the minimal folder serves what it shows", async () => {
  const ports = new Ports();
  const backend = Deno.serve(
    { hostname: "127.0.0.1", port: ports.of("3000"), onListen() {} },
    (request) => echo(request, 3000),
  );
  await using edge = await Edge.start({ "readme.yaml": ports.inYaml(MINIMAL) });
  assert.deepEqual((await edge.json("/config")).errors, []);
  const { examples } = readGuide(README);
  assert.equal(examples.length, 2);
  for (const example of examples) await tryExample(example, ports);
  await backend.shutdown();
});

Deno.test("README: a listener that asks for certificates, and a backend by TLS", async () => {
  const authority = await Authority.create("readme");
  const inner = await authority.issue({ name: "inner", dns: ["inner.example.com"] });
  const client = await authority.issue({ name: "me", dns: ["me"] });
  const ports = new Ports();
  const backend = Deno.serve({
    hostname: "127.0.0.1",
    port: ports.of("443"),
    cert: inner.certificate,
    key: inner.key,
    onListen() {},
  }, (request) => new Response(request.headers.get("x-forwarded-client-cert")));
  // Its name is resolved nowhere: the address is this machine's, the certificate must still be for the name.
  const shown = "address: inner.example.com";
  assert.ok(SECURE.includes(shown));
  const local = ports.inYaml(SECURE)
    .replace(shown, "address: 127.0.0.1")
    .replace("enabled: true, ca", "enabled: true, serverName: inner.example.com, ca");
  await using _edge = await Edge.start({
    "readme.yaml": local,
    "rest.yaml": documents(
      route("inner", "inner"),
      secret("server", await authority.issue({ name: "server", dns: ["secure.example.com"] })),
      secret("clients", null, authority.certificate),
      secret("inner-ca", null, authority.certificate),
    ),
  });
  const port = ports.of("8444");
  const servername = "secure.example.com";
  const tls = { servername, cert: client.certificate, key: client.key };
  using known = await HttpConnection.open(port, { tls });
  const answer = await known.request("GET", "/", { host: servername });
  assert.equal(answer.status, 200);
  assert.match(answer.body, /CN=me/);
  using stranger = await HttpConnection.open(port, { tls: { servername } });
  assert.equal((await stranger.request("GET", "/", { host: servername })).status, 0);
  await backend.shutdown();
});
