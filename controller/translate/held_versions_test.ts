import assert from "node:assert/strict";
import { keyOf, Kind } from "../../common/delta/resources.ts";
import { Gateway } from "../../proto/gen/novaedge/v1/config.ts";
import { selfSigned } from "../../standalone/demo/demo_folder.ts";
import { secret } from "../../tests/support/authority.ts";
import { FolderState, type LastGood } from "../source/files/folder_state.ts";
import { HeldVersions } from "./held_versions.ts";
import { type ResourceUpdate, Translator } from "./translator.ts";

const [FIRST, SECOND] = await Promise.all([selfSigned(["a.test"]), selfSigned(["a.test"])]);
const MISMATCHED = { certificate: SECOND.certificate, key: FIRST.key };

/** A folder and what is served of it. */
class Site {
  readonly #state: FolderState;
  readonly #versions = new HeldVersions(new Translator({ secret: new Uint8Array(32) }));
  readonly #served = new Map<string, ResourceUpdate>();
  readonly good = new Map<string, LastGood>();

  constructor(files: Record<string, string | null>, good: Iterable<LastGood> = []) {
    this.#state = new FolderState(good, () => "10:00");
    const { changes } = this.#state.apply(Object.entries(files));
    const { remembered, rest } = this.#state.comparedWithRemembered(changes);
    this.#take(remembered, false);
    this.#take(rest);
  }

  write(files: Record<string, string | null>): void {
    this.#take(this.#state.apply(Object.entries(files)).changes);
  }

  #take(changes: Parameters<HeldVersions["update"]>[0], judge = true): void {
    const { updates, accepted } = this.#versions.update(changes);
    for (const update of updates) {
      if (update.resource === null) this.#served.delete(keyOf(update));
      else this.#served.set(keyOf(update), update);
    }
    if (!judge) return;
    for (const good of this.#state.judged({ accepted, held: this.#versions.held })) {
      this.good.set(good.key.name, good);
    }
  }

  /** Ports of the listeners that are served, with the certificates that they name. */
  get listeners(): string[] {
    const gateways = [...this.#served.values()].filter(({ kind }) => kind === Kind.KIND_GATEWAY);
    return gateways.flatMap(({ resource }) => Gateway.decode(resource!.body).listeners)
      .map(({ port, tls }) =>
        [port, ...tls?.certificates.map((one) => one.certificate) ?? []].join(" ")
      ).sort();
  }

  /** Whether the certificate of a Secret is served. */
  serves(name: string, { certificate }: { certificate: string }): boolean {
    const update = this.#served.get(
      keyOf({ kind: Kind.KIND_CERTIFICATE, name: `Secret/default/${name}` }),
    );
    return new TextDecoder().decode(update?.resource?.body).includes(certificate);
  }

  get resources(): number {
    return this.#served.size;
  }

  get problems(): string[] {
    return this.#state.problems().map(({ file, line, object, reason }) =>
      `${file}:${line} ${object}: ${reason}`
    );
  }
}

function gateway(name: string, ...listeners: string[]): string {
  return `apiVersion: novaedge.io/v1alpha1
kind: ProxyGateway
metadata: { name: ${name} }
spec: { listeners: [${listeners.join(", ")}] }
`;
}

const https = (port: number, certificate = "site", name = `l${port}`) =>
  `{ name: ${name}, port: ${port}, protocol: HTTPS, tls: { secretRef: { name: ${certificate} } } }`;
const http = (port: number, name = `l${port}`) =>
  `{ name: ${name}, port: ${port}, protocol: HTTP }`;
const SITE = {
  "gateway.yaml": gateway("edge", https(443)),
  "secret.yaml": secret("site", FIRST),
};
const SERVED = ["443 Secret/default/site"];

Deno.test("bug: a renewed certificate whose key does not match took its sites down", () => {
  const site = new Site(SITE);
  assert.deepEqual(site.listeners, SERVED);
  site.write({ "secret.yaml": secret("site", MISMATCHED) });
  assert.deepEqual(site.listeners, SERVED);
  assert.ok(site.serves("site", FIRST));
  assert.deepEqual(site.problems, [
    "secret.yaml:1 Secret/default/site: InvalidCertificate: tls.key does not belong to tls.crt; " +
    "the version read at 10:00 keeps serving",
  ]);
  site.write({ "secret.yaml": secret("site", SECOND) });
  assert.ok(site.serves("site", SECOND));
  assert.deepEqual(site.problems, []);
});

Deno.test("bug: garbage in tls.crt took its sites down", () => {
  const site = new Site(SITE);
  site.write({ "secret.yaml": secret("site", { certificate: "garbage", key: FIRST.key }) });
  assert.deepEqual(site.listeners, SERVED);
  assert.match(site.problems[0], /tls\.crt is not a PEM certificate; the version read at/);
});

Deno.test("bug: a mistyped Secret name in a listener took it down", () => {
  const site = new Site(SITE);
  site.write({ "gateway.yaml": gateway("edge", https(443, "siet"), https(444)) });
  assert.deepEqual(site.listeners, SERVED, "the whole version waits");
  assert.match(
    site.problems[0],
    /^gateway\.yaml:1 ProxyGateway\/default\/edge: InvalidCertificateRef: .*siet: not found; the/,
  );
  site.write({ "more.yaml": secret("siet", SECOND) });
  assert.deepEqual(site.listeners, ["443 Secret/default/siet", "444 Secret/default/site"]);
  assert.deepEqual(site.problems, []);
});

Deno.test("bug: an HTTP listener on the port of HTTPS took both down", () => {
  const site = new Site(SITE);
  site.write({ "gateway.yaml": gateway("edge", https(443), http(443, "plain")) });
  assert.deepEqual(site.listeners, SERVED);
  assert.match(site.problems[0], /Conflicted: .*port 443 is HTTPS at ProxyGateway default\/edge/);
});

Deno.test("bug: a new gateway on the port of one that serves took both down", () => {
  const site = new Site(SITE);
  site.write({ "a_first.yaml": gateway("a", http(443), http(80)) });
  assert.deepEqual(site.listeners, SERVED);
  assert.match(site.problems[0], /^a_first\.yaml:1 ProxyGateway\/default\/a: waits: /);
  site.write({ "gateway.yaml": gateway("edge", https(8443)) });
  assert.deepEqual(site.listeners, ["443", "80", "8443 Secret/default/site"]);
  assert.deepEqual(site.problems, []);
});

Deno.test("bug: a document of the same name in a file that sorts first took over", () => {
  const site = new Site(SITE);
  site.write({ "a.yaml": gateway("edge", http(80)) });
  assert.deepEqual(site.listeners, SERVED);
  assert.deepEqual(site.problems, [
    "a.yaml:1 ProxyGateway/default/edge: already defined at gateway.yaml:1",
  ]);
  site.write({ "gateway.yaml": null });
  assert.deepEqual(site.listeners, ["80"], "a deletion is a deletion");
});

Deno.test("a restart beside bad versions answers the same", () => {
  const before = new Site(SITE);
  const bad = {
    "a.yaml": gateway("edge", http(80)),
    "b.yaml": gateway("b", http(443)),
    "secret.yaml": secret("site", MISMATCHED),
    "gateway.yaml": gateway("edge", https(443, "siet")),
  };
  before.write(bad);
  assert.equal(before.problems.length, 4);
  const after = new Site(bad, [...before.good.values()]);
  assert.deepEqual(after.listeners, SERVED);
  assert.ok(after.serves("site", FIRST));
  assert.deepEqual(after.problems, before.problems);
  assert.deepEqual([...after.good], [], "what is on disk already is not written again");
});

Deno.test("a bad certificate does not hold what was changed beside it", () => {
  const site = new Site(SITE);
  site.write({
    "secret.yaml": secret("site", MISMATCHED),
    "gateway.yaml": gateway("edge", https(443), http(80)),
  });
  assert.deepEqual(site.listeners, [...SERVED, "80"]);
  assert.equal(site.problems.length, 1);
});

Deno.test("what never served is served as far as it goes", () => {
  const site = new Site({ "gateway.yaml": gateway("edge", https(443, "nothing"), http(80)) });
  assert.deepEqual(site.listeners, ["80"]);
  site.write({ "gateway.yaml": gateway("edge", https(443, "nothing"), http(81)) });
  assert.deepEqual(site.listeners, ["81"], "nothing is worse than before");
});

Deno.test("the deletion of a certificate counts, and edits beside it too", () => {
  const site = new Site({ ...SITE, "gateway.yaml": gateway("edge", https(443), http(80)) });
  site.write({ "secret.yaml": null });
  assert.deepEqual(site.listeners, ["80"]);
  site.write({ "gateway.yaml": gateway("edge", https(443), http(81)) });
  assert.deepEqual(site.listeners, ["81"]);
});

Deno.test("a policy with a mistake closes what it protects, as ever", () => {
  const policy = (secretName: string) =>
    `apiVersion: novaedge.io/v1alpha1
kind: ProxyPolicy
metadata: { name: p }
spec:
  targetRef: { kind: ProxyGateway, name: edge }
  type: BasicAuth
  basicAuth: { realm: r, secretRef: { name: ${secretName} } }
`;
  const users = `apiVersion: v1
kind: Secret
metadata: { name: users }
data: { htpasswd: ${btoa("a:$2y$05$abcdefghijklmnopqrstuuOu1.ZrU1WnGbB5Wn3GcmnVE8bGpcIIu\n")} }
`;
  const site = new Site({ ...SITE, "policy.yaml": policy("users"), "users.yaml": users });
  const before = site.resources;
  site.write({ "policy.yaml": policy("usres") });
  assert.deepEqual(site.problems, [], "it is not held: its outcome says what is wrong");
  assert.equal(site.resources, before);
});
