import assert from "node:assert/strict";
import { join } from "node:path";
import { httpBackend } from "../support/backends.ts";
import { HttpConnection } from "../support/http_client.ts";
import { freePort, startProgram } from "../support/programs.ts";
import { startTask, taskFolder } from "../support/tasks.ts";

/** Random secrets by place. Letters only: redaction cannot recognize them by their form. */
class Secrets {
  readonly #byPlace = new Map<string, string>();

  at(place: string): string {
    let secret = this.#byPlace.get(place);
    if (secret === undefined) {
      const letters = crypto.getRandomValues(new Uint8Array(14));
      secret = [...letters].map((byte) => String.fromCharCode(97 + byte % 26)).join("");
      this.#byPlace.set(place, secret);
    }
    return secret;
  }

  /** Returns the places whose secrets a text has, in clear or as base64. */
  shownIn(text: string): string[] {
    return [...this.#byPlace].filter(([, secret]) =>
      text.includes(secret) || text.includes(btoa(secret))
    )
      .map(([place]) => place);
  }
}

function policy(name: string, route: string, spec: Record<string, unknown>): unknown {
  return {
    apiVersion: "novaedge.io/v1alpha1",
    kind: "ProxyPolicy",
    metadata: { name },
    spec: { ...spec, targetRef: { kind: "ProxyRoute", name: route } },
  };
}

function route(name: string, rule: Record<string, unknown>): unknown {
  return {
    apiVersion: "novaedge.io/v1alpha1",
    kind: "ProxyRoute",
    metadata: { name },
    spec: {
      hostnames: [`${name}.test`],
      rules: [{ backendRefs: [{ name: "served" }], ...rule }],
    },
  };
}

function secretObject(name: string, stringData: Record<string, string>): unknown {
  return { apiVersion: "v1", kind: "Secret", metadata: { name }, stringData };
}

/** Returns valid and invalid resources with a secret in every place that may hold one. */
function resources(secrets: Secrets, port: number, served: number): Record<string, string> {
  const at = (place: string) => secrets.at(place);
  const match = (headers: unknown[], queryParams: unknown[] = []) => [{ headers, queryParams }];
  const documents = [
    {
      apiVersion: "novaedge.io/v1alpha1",
      kind: "ProxyGateway",
      metadata: { name: "edge" },
      spec: { listeners: [{ name: "http", port, protocol: "HTTP", address: "127.0.0.1" }] },
    },
    {
      apiVersion: "novaedge.io/v1alpha1",
      kind: "ProxyBackend",
      metadata: { name: "served" },
      spec: {
        endpoints: [{ address: "127.0.0.1", port: served }],
        healthCheck: { httpPath: `/health?token=${at("health check path")}`, interval: "60s" },
        sessionAffinity: { type: "Cookie", cookieName: "stick" },
      },
    },
    route("edits", {
      filters: [
        {
          type: "SetHeader",
          set: [
            { name: "Authorization", value: `Basic ${at("set Authorization")}` },
            { name: "X-Api-Key", value: at("set X-Api-Key") },
            { name: "X-Upstream", value: `Bearer ${at("set another field")}` },
            { name: "X-Location", value: `/next?access_token=${at("set URL")}` },
          ],
        },
        { type: "AddHeader", add: [{ name: "Cookie", value: `a=${at("add Cookie")}` }] },
        {
          type: "ResponseAddHeader",
          responseAdd: [{ name: "Set-Cookie", value: `id=${at("responseAdd Set-Cookie")}` }],
        },
        {
          type: "ResponseSetHeader",
          responseSet: [{ name: "X-Auth-Token", value: at("responseSet X-Auth-Token") }],
        },
      ],
    }),
    route("matches", {
      matches: match(
        [{ name: "Authorization", value: `Bearer ${at("match Authorization")}` }],
        [{ name: "access_token", value: at("match parameter") }],
      ),
    }),
    route("patterns", {
      matches: match([{
        name: "X-Api-Key",
        type: "RegularExpression",
        value: `(?=${at("pattern that cannot be used")})x`,
      }]),
    }),
    route("moved", {
      backendRefs: undefined,
      filters: [{
        type: "RequestRedirect",
        redirectURL: `https://me:${at("redirect user")}@login.test/?token=${
          at("redirect parameter")
        }`,
      }],
    }),
    route("names", {
      filters: [{
        type: "SetHeader",
        set: [{ name: `Authorization: Bearer ${at("field name")}`, value: "x" }],
      }],
    }),
    route("paths", { matches: [{ path: { type: "Exact", value: `/a?key=${at("path")}` } }] }),
    route("guarded", {}),
    policy("passwords", "guarded", {
      type: "BasicAuth",
      basicAuth: { secretRef: { name: "users" } },
    }),
    policy("tokens", "matches", {
      type: "JWT",
      jwt: {
        issuer: "i",
        allowedAlgorithms: ["HS256"],
        jwks: JSON.stringify({ keys: [{ kty: "oct", alg: "HS256", k: btoa(at("jwks")) }] }),
      },
    }),
    policy("elsewhere", "patterns", {
      type: "JWT",
      jwt: { issuer: "i", jwksUri: `ftp://u:${at("jwksUri")}@keys.test/` },
    }),
    policy("asked", "paths", {
      type: "ForwardAuth",
      forwardAuth: { address: `http://u:${at("forwardAuth address")} @[` },
    }),
    policy("form", "names", {
      type: "ForwardAuth",
      forwardAuth: { address: `htp://u:${at("forwardAuth form")}@auth.test/` },
    }),
    secretObject("users", { htpasswd: `ann:{SHA}${at("htpasswd")}` }),
    {
      ...secretObject("site", {
        "tls.crt": `-----BEGIN CERTIFICATE-----\n${at("tls.crt")}\n-----END CERTIFICATE-----`,
        "tls.key": `-----BEGIN PRIVATE KEY-----\n${at("tls.key")}\n-----END PRIVATE KEY-----`,
      }) as object,
      type: "kubernetes.io/tls",
    },
  ];
  const head = "apiVersion: v1\nkind: Secret\nmetadata: { name: broken }\nstringData:\n";
  return {
    "edge.yaml": documents.map((document) => JSON.stringify(document)).join("\n---\n"),
    "alias.yaml": `${head}  password: *${at("alias")}\n`,
    "block.yaml": `${head}  password: |${at("block scalar")}\n`,
    "open.yaml": `${head}  password: "${at("open quote")}\n`,
    "list.yaml": `${head}  password: [${at("list")}]\n`,
    "base64.yaml": `${head.replace("stringData", "data")}  password: { ${at("map")}: 1 }\n`,
  };
}

Deno.test("bug: values of header filters and other secrets were shown by the admin API", async () => {
  const secrets = new Secrets();
  let received = new Headers();
  await using served = httpBackend((request) => {
    if (new URL(request.url).pathname === "/") received = request.headers;
    return new Response("ok");
  });
  await using folder = await taskFolder();
  const [port, admin] = [freePort(), freePort()];
  const files = resources(secrets, port, served.port);
  const directory = join(folder.path, "resources");
  await Deno.mkdir(directory);
  for (const [name, text] of Object.entries(files)) {
    await Deno.writeTextFile(join(directory, name), text);
  }
  await using program = startProgram("standalone", [
    ...["--resources", directory, "--state-dir", join(folder.path, "state"), "--workers", "1"],
    ...["--admin", `127.0.0.1:${admin}`, "--log-level", "debug"],
  ]);
  await program.line(/Stop: +Ctrl-C/);
  const shown = async (path: string) =>
    await (await fetch(`http://127.0.0.1:${admin}${path}`)).text();

  // The dataplane has the values.
  using client = await HttpConnection.open(port);
  const answer = await client.request("GET", "/?token=" + secrets.at("query of a request"), {
    host: "edits.test",
    authorization: `Bearer ${secrets.at("Authorization of a request")}`,
    cookie: `session=${secrets.at("Cookie of a request")}`,
  });
  assert.equal(answer.status, 200);
  assert.equal(received.get("authorization"), `Basic ${secrets.at("set Authorization")}`);
  assert.equal(received.get("x-api-key"), secrets.at("set X-Api-Key"));
  assert.equal(answer.headers.get("x-auth-token"), secrets.at("responseSet X-Auth-Token"));
  const moved = await client.request("GET", "/", { host: "moved.test" });
  assert.match(moved.headers.get("location")!, new RegExp(secrets.at("redirect parameter")));
  using absolute = await HttpConnection.open(port);
  await absolute.request("GET", `http://u:${secrets.at("user of a target")}@edits.test/`, {
    host: `u:${secrets.at("user of a Host")}@edits.test`,
  });

  const config = await shown("/config");
  const { routes, errors, objects } = JSON.parse(config);
  const edits = routes.find(({ name }: { name: string }) => name === "edits").rules[0].filters;
  assert.deepEqual(
    edits.requestFields.add,
    [
      { name: "authorization", value: "[redacted]" },
      { name: "x-api-key", value: "[redacted]" },
      { name: "x-upstream", value: "Bearer [redacted]" },
      { name: "x-location", value: "/next?access_token=[redacted]" },
      { name: "cookie", value: "[redacted]" },
    ],
  );
  assert.deepEqual(
    [...new Set(errors.map(({ file }: { file: string }) => file))],
    Object.keys(files).sort(),
  );
  const reasons = JSON.stringify(objects);
  assert.match(reasons, /not a field name: \\"Authorization: \[redacted\]/);
  assert.match(reasons, /\\"\/a\?key=\[redacted\]\\" has \? or #, which end a path/);

  const asked = (host: string, query: string, header: string) =>
    shown(
      `/why?url=${encodeURIComponent(`http://127.0.0.1:${port}/${query}`)}&header=host:${host}` +
        `&header=${encodeURIComponent(header)}`,
    );
  const explained = [
    await asked("edits.test", "", "x: y"),
    await asked("moved.test", "", "x: y"),
    await asked("patterns.test", "", `x-api-key: ${secrets.at("header of why")}`),
    await asked("names.test", "", "x: y"),
    await asked(
      "matches.test",
      `?access_token=${secrets.at("match parameter")}`,
      `authorization: Bearer ${secrets.at("match Authorization")}`,
    ),
  ];
  assert.match(
    explained[1],
    /"becomes":"https:\/\/\[redacted\]@login\.test\/\?token=\[redacted\]"/,
  );
  assert.match(explained[4], /"route":"ProxyRoute\/default\/matches"/);
  await using ctl = startTask("ctl", [
    ...[
      "why",
      "--resources",
      directory,
      `http://127.0.0.1:${port}/?token=${secrets.at("ctl URL")}`,
    ],
    ...["--header", "host: moved.test", "--header", `cookie: ${secrets.at("ctl header")}`],
  ]);
  assert.equal((await ctl.end("SIGCONT")).code, 1, "one of the files is broken");
  assert.match(ctl.lines.join("\n"), /"becomes": "https:\/\/\[redacted\]@login\.test/);

  const others = [await shown("/endpoints"), await shown("/metrics"), await shown("/ready")];
  others.push(await shown(`/why?url=http:${secrets.at("bad URL")}`));
  await program.end("SIGTERM");
  const log = program.lines.join("\n");
  // The log has the request and the problems of the resources.
  assert.match(log, /"host":"edits\.test","path":"\/"/);
  assert.match(log, /open\.yaml:5/);
  for (
    const [what, text] of [
      ["/config", config],
      ["why", explained.join("\n")],
      ["ctl", ctl.lines.join("\n")],
      ["other dumps", others.join("\n")],
      ["the log", log],
    ]
  ) assert.deepEqual(secrets.shownIn(text), [], `${what} shows these`);
});

Deno.test("bug: a kubeconfig that is no YAML was printed with the line of its token", async () => {
  await using folder = await taskFolder();
  const secrets = new Secrets();
  const path = join(folder.path, "kubeconfig");
  await Deno.writeTextFile(path, `users:\n- user: { token: "${secrets.at("token")}" ]\n`);
  await using program = startTask("controller", ["--kubeconfig", path]);
  assert.equal((await program.end("SIGCONT")).code, 1);
  const text = program.lines.join("\n");
  assert.match(text, /kubeconfig: line \d: Flow map/);
  assert.deepEqual(secrets.shownIn(text), []);
});

Deno.test("bug: a flag that is refused was printed with the password in its URL", async () => {
  const secrets = new Secrets();
  await using folder = await taskFolder();
  await using program = startTask("dataplane", [
    ...["--socket", join(folder.path, "dataplane.sock"), "--transport", "node"],
    ...["--otlp-endpoint", `ftp://me:${secrets.at("password")}@collector.test`],
  ]);
  assert.equal((await program.end("SIGCONT")).code, 1);
  const text = program.lines.join("\n");
  assert.match(text, /--otlp-endpoint: "ftp:\/\/\[redacted\]@collector\.test" is not an http/);
  assert.deepEqual(secrets.shownIn(text), []);
});
