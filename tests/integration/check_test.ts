/** `novaedgectl check`, run as its task runs it. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { selfSigned } from "../../standalone/demo/demo_folder.ts";
import { secret } from "../support/authority.ts";
import { documents, Edge } from "../support/edge.ts";
import { freePort, startProgram } from "../support/programs.ts";
import { startTask } from "../support/tasks.ts";

async function run(...args: string[]): Promise<{ code: number; lines: string[] }> {
  await using program = startTask("ctl", args);
  const { code } = await program.end("SIGWINCH");
  return { code, lines: program.lines };
}

const gateway = (name: string, listeners: string) =>
  `apiVersion: novaedge.io/v1alpha1
kind: ProxyGateway
metadata: { name: ${name} }
spec: { listeners: [${listeners}] }
`;
const route = (backend: string) =>
  `apiVersion: novaedge.io/v1alpha1
kind: ProxyRoute
metadata: { name: all }
spec: { rules: [{ backendRefs: [{ name: ${backend} }] }] }
`;
const BACKEND = `apiVersion: novaedge.io/v1alpha1
kind: ProxyBackend
metadata: { name: b }
spec: { endpoints: [{ address: 127.0.0.1, port: 80 }] }
`;
const HTTPS = "{ name: https, port: 8443, protocol: HTTPS, tls: { secretRef: { name: site } } }";

Deno.test("novaedgectl check accepts what is good and names what is not", async (t) => {
  const [pair, other] = await Promise.all([selfSigned(["a.test"]), selfSigned(["a.test"])]);
  const good: Record<string, string> = {
    "gateway.yaml": gateway("edge", HTTPS),
    "site.yaml": secret("site", pair),
    "routes/all.yaml": `${BACKEND}---\n${route("b")}`,
  };
  const cases: [string, Record<string, string>, RegExp[]][] = [
    ["nothing is wrong", {}, []],
    ["a schema error", { "routes/all.yaml": `${BACKEND}---\nkind: ProxyRoute\n` }, [
      /routes\/all\.yaml:\d+: error: apiVersion: /,
    ]],
    ["no YAML", { "site.yaml": "a: [\n" }, [/site\.yaml:\d+: error: /]],
    ["a key of another certificate", {
      "site.yaml": secret("site", { certificate: other.certificate, key: pair.key }),
    }, [
      /site\.yaml:1: error: Secret\/default\/site: InvalidCertificate: tls\.key does not belong/,
    ]],
    ["a Secret that is not there", {
      "gateway.yaml": gateway("edge", HTTPS.replace("site", "siet")),
    }, [
      /gateway\.yaml:1: error: ProxyGateway\/default\/edge: InvalidCertificateRef: .*siet: not found/,
    ]],
    ["a backend that is not there", { "routes/all.yaml": `${BACKEND}---\n${route("x")}` }, [
      /routes\/all\.yaml:6: error: ProxyRoute\/default\/all: .*x/,
    ]],
    ["two gateways on one port", {
      "z.yaml": gateway("z", "{ name: l, port: 8443, protocol: HTTP }"),
    }, [/z\.yaml:1: error: ProxyGateway\/default\/z: Conflicted: .*port 8443 is HTTPS/]],
    ["one name twice", { "z.yaml": gateway("edge", HTTPS) }, [
      /z\.yaml:1: error: ProxyGateway\/default\/edge: metadata\.name: already defined at gateway\.yaml:1/,
    ]],
  ];
  for (const [name, files, expected] of cases) {
    await t.step(name, async () => {
      const folder = await Deno.makeTempDir({ prefix: "novaedge-check-" });
      await Deno.mkdir(join(folder, "routes"));
      for (const [file, text] of Object.entries({ ...good, ...files })) {
        await Deno.writeTextFile(join(folder, file), text);
      }
      const { code, lines } = await run("check", folder);
      const json = await run("check", "--json", folder);
      await Deno.remove(folder, { recursive: true });
      const text = lines.join("\n");
      assert.equal(code, expected.length === 0 ? 0 : 1, text);
      for (const line of expected) assert.match(text, line);
      const { ok, findings } = JSON.parse(json.lines.join("\n"));
      assert.deepEqual([json.code, ok], [code, code === 0]);
      assert.equal(findings.length, lines.length - 1);
      assert.doesNotMatch(text, /PRIVATE KEY/);
    });
  }
});

Deno.test("novaedgectl: one file alone, wrong commands, help", async () => {
  const folder = await Deno.makeTempDir({ prefix: "novaedge-check-" });
  const file = join(folder, "a.yaml");
  await Deno.writeTextFile(file, BACKEND);
  const alone = await run("check", file);
  assert.deepEqual(alone, { code: 0, lines: ["1 file, 0 errors, 0 warnings"] });
  await Deno.writeTextFile(file, route("b"));
  const dangling = await run("check", file);
  assert.equal(dangling.code, 1);
  assert.match(dangling.lines[0], /a\.yaml:1: error: ProxyRoute\/default\/all: /);
  await Deno.remove(folder, { recursive: true });
  const absent = await run("check", file);
  assert.equal(absent.code, 1);
  assert.match(absent.lines.join("\n"), /a\.yaml/);
  for (const args of [[], ["chekc"], ["check"], ["check", "a", "b"], ["check", "--jsno", "a"]]) {
    const wrong = await run(...args);
    assert.equal(wrong.code, 2, args.join(" "));
    assert.match(wrong.lines.join("\n"), /novaedgectl check DIR\|FILE/);
  }
  const help = await run("--help");
  assert.equal(help.code, 0);
  assert.match(help.lines.join("\n"), /novaedgectl why --resources DIR URL/);
});

Deno.test("novaedgectl check --against says what would change at a gateway that runs", async () => {
  const port = freePort();
  const plain = (port: number) => gateway("edge", `{ name: http, port: ${port}, protocol: HTTP }`);
  await using edge = await Edge.start({ "all.yaml": documents(plain(port), BACKEND, route("b")) });
  const folder = await Deno.makeTempDir({ prefix: "novaedge-check-" });
  const file = join(folder, "all.yaml");
  const against = ["--against", `http://127.0.0.1:${edge.admin}`];
  await Deno.writeTextFile(file, documents(plain(port), BACKEND, route("b")));
  const same = await run("check", folder, ...against);
  assert.deepEqual(same, { code: 0, lines: ["1 file, 0 errors, 0 warnings, 0 changes"] });
  const other = freePort();
  await Deno.writeTextFile(file, documents(plain(other), BACKEND.replace("port: 80", "port: 81")));
  const { code, lines } = await run("check", folder, ...against);
  assert.equal(code, 0);
  assert.deepEqual(lines, [
    `would open listener default/edge/http: HTTP on port ${other} of all addresses`,
    `would close listener default/edge/http: HTTP on port ${port} of all addresses`,
    "would remove object ProxyRoute default/all",
    `would change gateway default/edge: [0].listeners[0].port: ${port} -> ${other}`,
    "would change backend default/b: [0].endpoints[0].port: 80 -> 81",
    "1 file, 0 errors, 0 warnings, 5 changes",
  ]);
  const json = JSON.parse((await run("check", "--json", folder, ...against)).lines.join("\n"));
  assert.deepEqual([json.ok, json.changes.length], [true, 5]);
  const away = await run("check", folder, "--against", `http://127.0.0.1:${freePort()}`);
  assert.equal(away.code, 1);
  assert.match(away.lines.join("\n"), /cannot read http:\/\/127\.0\.0\.1:\d+\/config: /);
  await Deno.remove(folder, { recursive: true });
});

Deno.test("task start --check checks the folder and starts nothing; novaedgectl says its version", async () => {
  const folder = await Deno.makeTempDir({ prefix: "novaedge-check-" });
  const start = async () => {
    await using program = startProgram("standalone", ["--check", "--resources", folder]);
    const { code } = await program.end("SIGWINCH");
    return { code, text: program.lines.join("\n") };
  };
  await Deno.writeTextFile(join(folder, "a.yaml"), BACKEND);
  const good = await start();
  assert.deepEqual([good.code, /nothing would be refused/.test(good.text)], [0, true]);
  await Deno.writeTextFile(join(folder, "a.yaml"), route("b"));
  const bad = await start();
  assert.equal(bad.code, 1);
  assert.match(bad.text, /a\.yaml:1: error: ProxyRoute\/default\/all: /);
  await Deno.remove(folder, { recursive: true });
  assert.match((await run("--version")).lines[0], /^novaedgectl \d+\.\d+/);
});
