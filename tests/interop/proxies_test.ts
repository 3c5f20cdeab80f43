import assert from "node:assert/strict";
import { httpBackend } from "../support/backends.ts";
import { get } from "../support/http_client.ts";
import { freePort } from "../support/programs.ts";
import { backendWith, rule, Scene } from "./scene.ts";
import { interop, run } from "./tools.ts";

/** A program in the foreground that is ended with its test. */
class Running implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;

  constructor(command: string, args: string[]) {
    this.#child = new Deno.Command(command, { args, stdout: "null", stderr: "null" }).spawn();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGTERM");
    await this.#child.status;
  }
}

/** Resolves when something listens. */
async function listening(port: number): Promise<void> {
  for (;;) {
    try {
      (await Deno.connect({ port, hostname: "127.0.0.1" })).close();
      return;
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

function nginxConfig(folder: string, servers: string): string {
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((name) =>
    `${name}_temp_path ${folder}/${name};`
  );
  return `worker_processes 1; daemon off; pid ${folder}/nginx.pid; error_log ${folder}/error.log;
events { worker_connections 256; }
http { access_log off; ${temporary.join(" ")} ${servers} }
`;
}

await interop(
  "nginx as backend: HTTP/1.1, h2c, TLS, and with PROXY headers",
  ["nginx"],
  async ({ nginx }) => {
    const [h1, h2c, secure, proxied] = [freePort(), freePort(), freePort(), freePort()];
    await using scene = await Scene.start(
      [rule("/h1", "h1"), rule("/h2c", "h2c"), rule("/tls", "tls"), rule("/proxied", "proxied")],
      [
        backendWith("h1", h1, "protocol: HTTP"),
        backendWith("h2c", h2c, "protocol: HTTP2"),
        backendWith(
          "tls",
          secure,
          "protocol: HTTPS, tls: { enabled: true, serverName: localhost, caCertSecretRef: server }",
        ),
        backendWith("proxied", proxied, "upstreamProxyProtocol: { enabled: true, version: 2 }"),
      ],
    );
    const answer = (text: string) => `location / { return 200 "${text}"; }`;
    await Deno.writeTextFile(
      scene.file("nginx.conf"),
      nginxConfig(
        scene.folder,
        `server { listen 127.0.0.1:${h1}; ${answer("$server_protocol $http_x_forwarded_for")} }
server { listen 127.0.0.1:${h2c} http2; ${answer("$server_protocol $http_x_forwarded_for")} }
server { listen 127.0.0.1:${secure} ssl http2; ssl_certificate ${
          scene.file("cert.pem")
        }; ssl_certificate_key ${scene.file("key.pem")}; ${
          answer("$server_protocol $ssl_server_name")
        } }
server { listen 127.0.0.1:${proxied} proxy_protocol; ${answer("$proxy_protocol_addr")} }`,
      ),
    );
    await using _nginx = new Running(nginx, ["-p", scene.folder, "-c", scene.file("nginx.conf")]);
    for (const port of [h1, h2c, secure]) await listening(port);
    const body = async (path: string) => (await get(scene.plain, path)).body;
    assert.equal(await body("/h1"), "HTTP/1.1 127.0.0.1");
    assert.equal(await body("/h2c"), "HTTP/2.0 127.0.0.1");
    assert.equal(await body("/tls"), "HTTP/2.0 localhost");
    assert.equal(await body("/proxied"), "127.0.0.1");
    for (let i = 0; i < 50; i++) {
      assert.equal(
        await body(i % 2 === 0 ? "/h1" : "/h2c"),
        `HTTP/${i % 2 === 0 ? "1.1" : "2.0"} 127.0.0.1`,
      );
    }
  },
);

const PROXIED = ", proxyProtocol: { enabled: true, trustedCIDRs: [127.0.0.1] }";

await interop("nginx and HAProxy in front, speaking for their clients", [
  "nginx",
  "haproxy",
  "curl",
], async (paths) => {
  await using who = httpBackend((request) =>
    new Response(`${request.headers.get("x-forwarded-for")}`)
  );
  await using scene = await Scene.start(
    [rule("/who", "who")],
    [backendWith("who", who.port, "protocol: HTTP")],
    PROXIED,
  );
  const [tcp, tcp2, h2] = [freePort(), freePort(), freePort()];
  await Deno.writeTextFile(
    scene.file("haproxy.cfg"),
    `defaults
  timeout connect 5s
  timeout client 5s
  timeout server 5s
frontend one
  mode tcp
  bind 127.0.0.1:${tcp}
  default_backend v1
frontend two
  mode tcp
  bind 127.0.0.1:${tcp2}
  default_backend v2
frontend three
  mode http
  bind 127.0.0.1:${h2} proto h2
  default_backend v2http
backend v1
  mode tcp
  server s 127.0.0.1:${scene.plain} send-proxy
backend v2
  mode tcp
  server s 127.0.0.1:${scene.plain} send-proxy-v2
backend v2http
  mode http
  server s 127.0.0.1:${scene.plain} send-proxy-v2 proto h2
`,
  );
  await using _haproxy = new Running(paths.haproxy, ["-db", "-f", scene.file("haproxy.cfg")]);
  const nginxPort = freePort();
  await Deno.writeTextFile(
    scene.file("nginx.conf"),
    nginxConfig(scene.folder, "").replace(
      "http {",
      `stream { server { listen 127.0.0.1:${nginxPort}; proxy_pass 127.0.0.1:${scene.plain}; proxy_protocol on; } }\nhttp {`,
    ),
  );
  const ports = [tcp, tcp2];
  const streams = await run(paths.nginx, [
    "-t",
    "-p",
    scene.folder,
    "-c",
    scene.file("nginx.conf"),
  ]);
  // Some builds of nginx come without its stream module.
  await using _nginx = streams.ok
    ? new Running(paths.nginx, ["-p", scene.folder, "-c", scene.file("nginx.conf")])
    : null;
  if (streams.ok) ports.push(nginxPort);
  for (const port of ports) {
    await listening(port);
    for (const source of ["127.0.0.1", "127.0.0.7"]) {
      const { stdout, stderr } = await run(paths.curl, [
        ...["-sS", "--interface", source, `http://127.0.0.1:${port}/who`],
      ]);
      assert.equal(stdout, source, stderr);
    }
  }
  await listening(h2);
  const { stdout, stderr } = await run(paths.curl, [
    ...["-sS", "--http2-prior-knowledge", "--interface", "127.0.0.9", `http://127.0.0.1:${h2}/who`],
  ]);
  assert.equal(stdout, "127.0.0.9", stderr);
});
