/** Ingresses with annotations of ingress-nginx, each met by real requests; docs/ingress.md has the table. */
import assert from "node:assert/strict";
import { ANNOTATIONS } from "../../controller/translate/ingress/annotation_table.ts";
import type { Echo } from "../support/echo_services.ts";
import { documents, Edge } from "../support/edge.ts";
import { type Answer, get, HttpConnection } from "../support/http_client.ts";
import { ingress, type IngressCase, IngressSite } from "../support/ingress_site.ts";

interface Asking {
  readonly method?: string;
  readonly headers?: Record<string, string>;
  readonly body?: string;
  readonly secure?: boolean;
}

/** Sends a request to the host of a case. */
type Ask = (path?: string, asking?: Asking) => Promise<Answer & { readonly seen: Echo | null }>;

interface Case extends Omit<IngressCase, "host"> {
  /** Another Ingress of the same host. */
  readonly canary?: Readonly<Record<string, string>>;
  readonly check: (ask: Ask, site: IngressSite) => Promise<void>;
}

function status(expected: number, path = "/", asking: Asking = {}): Case["check"] {
  return async (ask) => assert.equal((await ask(path, asking)).status, expected);
}

function redirected(
  expected: number,
  location: string | ((site: IngressSite) => string),
  path = "/",
): Case["check"] {
  return async (ask, site) => {
    const { status, headers } = await ask(path);
    const wanted = typeof location === "string" ? location : location(site);
    assert.deepEqual([status, headers.get("location")], [expected, wanted]);
  };
}

function servedBy(backend: string, asking: Asking = {}): Case["check"] {
  return async (ask) => assert.equal((await ask("/", asking)).seen?.backend, backend);
}

/** Checks one after the other. */
function all(...checks: Case["check"][]): Case["check"] {
  return async (ask, site) => {
    for (const check of checks) await check(ask, site);
  };
}

/** Attributes of the cookie that an answer sets. */
function cookie(name: string, ...attributes: string[]): Case["check"] {
  return async (ask) => {
    const [pair, ...rest] = ((await ask()).headers.get("set-cookie") ?? "").split("; ");
    assert.equal(pair.split("=")[0], name);
    for (const attribute of attributes) assert.ok(rest.includes(attribute), rest.join("; "));
  };
}

/** The backends that requests with these paths reached. */
async function reached(ask: Ask, paths: readonly string[]): Promise<string[]> {
  const backends: string[] = [];
  for (const path of paths) backends.push((await ask(path)).seen!.backend);
  return backends;
}

/** The same paths stay at one backend, and different ones are spread. */
function spread(paths: (i: number) => string): Case["check"] {
  return async (ask) => {
    const places = await reached(ask, Array.from({ length: 20 }, (_, i) => paths(i)));
    assert.equal(new Set(places).size, 2);
    assert.deepEqual(await reached(ask, Array.from({ length: 20 }, (_, i) => paths(i))), places);
  };
}

const preflight: Asking = {
  method: "OPTIONS",
  headers: { origin: "https://a.example.com", "access-control-request-method": "PUT" },
};

function preflightSays(field: string, value: string): Case["check"] {
  return async (ask) => assert.equal((await ask("/", preflight)).headers.get(field), value);
}

const CANARY = { canary: "true" };
const BASIC = { "auth-type": "basic", "auth-secret": "users" };
const userOf = (text: string) => ({ headers: { authorization: `Basic ${btoa(text)}` } });
const ann = userOf("ann:test");
const SECURE = { "backend-protocol": "HTTPS" };
const VERIFIED = { ...SECURE, "proxy-ssl-verify": "on", "proxy-ssl-name": "inner.example.com" };
const AFFINITY = { affinity: "cookie" };

/** What shows of each supported annotation, by what the case is about. */
function cases({ auth }: IngressSite): Readonly<Record<string, Case>> {
  const asksAuth = { "auth-url": `${auth}/check` };
  const passes: Asking = { headers: { "x-pass": "yes" } };
  const cors = { "enable-cors": "true" };
  return {
    "app-root": {
      annotations: { "app-root": "/app" },
      check: all(
        redirected(302, () => "http://app-root.example.com/app"),
        status(200, "/other"),
      ),
    },
    "app-root-variables": {
      annotations: { "app-root": "$scheme://login.example.com/?from=$escaped_request_uri" },
      check: redirected(302, "http://login.example.com/?from=%2F%3Fa%3Db", "/?a=b"),
    },
    "configuration-snippet": {
      annotations: {
        "configuration-snippet":
          'proxy_set_header X-Team "edge";\nmore_set_headers "X-Shown: yes";',
      },
      check: async (ask) => {
        const { seen, headers } = await ask();
        assert.deepEqual([seen!.headers["x-team"], headers.get("x-shown")], ["edge", "yes"]);
      },
    },
    "rewrite-target": {
      annotations: { "rewrite-target": "/$2" },
      path: "/api(/|$)(.*)",
      check: async (ask) => {
        assert.equal((await ask("/api/users/7?all=1")).seen?.url, "/users/7?all=1");
        assert.equal((await ask("/api")).seen?.url, "/");
        assert.equal((await ask("/other")).status, 404);
      },
    },
    "use-regex": {
      annotations: { "use-regex": "true" },
      path: "/v[12]/",
      check: all(status(200, "/v2/x"), status(404, "/v3/x")),
    },
    "ssl-redirect-default": {
      annotations: {},
      tls: true,
      check: all(
        redirected(
          308,
          ({ https }) => `https://ssl-redirect-default.example.com:${https}/a?b`,
          "/a?b",
        ),
        status(200, "/", { secure: true }),
      ),
    },
    "ssl-redirect": { annotations: { "ssl-redirect": "false" }, tls: true, check: status(200) },
    "force-ssl-redirect": {
      annotations: { "force-ssl-redirect": "true" },
      check: redirected(308, ({ https }) => `https://force-ssl-redirect.example.com:${https}/`),
    },
    "permanent-redirect": {
      annotations: { "permanent-redirect": "https://new.example.com/" },
      check: redirected(301, "https://new.example.com/", "/x"),
    },
    "permanent-redirect-code": {
      annotations: { "permanent-redirect": "https://a.b/", "permanent-redirect-code": "308" },
      check: redirected(308, "https://a.b/"),
    },
    "temporal-redirect": {
      annotations: { "temporal-redirect": "https://new.example.com/" },
      check: redirected(302, "https://new.example.com/"),
    },
    "temporal-redirect-code": {
      annotations: { "temporal-redirect": "https://a.b/", "temporal-redirect-code": "307" },
      check: redirected(307, "https://a.b/"),
    },
    "proxy-body-size": {
      annotations: { "proxy-body-size": "1k" },
      check: all(
        status(200, "/", { method: "POST", body: "x".repeat(1024) }),
        status(413, "/", { method: "POST", body: "x".repeat(1025) }),
      ),
    },
    "proxy-connect-timeout": {
      annotations: { "proxy-connect-timeout": "1" },
      service: "deaf",
      check: async (ask) => {
        const { status, body } = await ask();
        assert.deepEqual([status, body], [504, "504 connect_timeout\n"]);
      },
    },
    "proxy-read-timeout": {
      annotations: { "proxy-read-timeout": "1" },
      check: all(status(504, "/silent"), status(200)),
    },
    "proxy-send-timeout": {
      annotations: { "proxy-send-timeout": "1" },
      check: status(504, "/silent"),
    },
    "backend-protocol": { annotations: SECURE, service: "secure", check: servedBy("secure") },
    "backend-protocol-grpc": {
      annotations: { "backend-protocol": "GRPC" },
      service: "grpc",
      check: async (ask) => {
        const { seen } = await ask();
        assert.deepEqual([seen?.backend, seen?.version], ["grpc", "2.0"]);
      },
    },
    "backend-protocol-grpcs": {
      annotations: { "backend-protocol": "GRPCS" },
      service: "grpcs",
      check: servedBy("grpcs"),
    },
    "proxy-ssl-verify": {
      annotations: { ...VERIFIED, "proxy-ssl-secret": "default/trusted" },
      service: "secure",
      check: servedBy("secure"),
    },
    "proxy-ssl-verify-foreign": {
      annotations: { ...VERIFIED, "proxy-ssl-secret": "default/foreign" },
      service: "secure",
      check: status(502),
    },
    "proxy-ssl-verify-roots": { annotations: VERIFIED, service: "secure", check: status(502) },
    "proxy-ssl-name": {
      annotations: {
        ...VERIFIED,
        "proxy-ssl-secret": "default/trusted",
        "proxy-ssl-name": "other.example.com",
      },
      service: "secure",
      check: status(502),
    },
    "proxy-ssl-secret": {
      annotations: { ...SECURE, "proxy-ssl-secret": "default/shown" },
      service: "secure",
      check: async (ask) => assert.equal((await ask()).seen?.client, "edge"),
    },
    "affinity": {
      annotations: AFFINITY,
      service: "pair",
      check: async (ask) => {
        const first = await ask();
        const [pair] = first.headers.get("set-cookie")!.split(";");
        assert.match(pair, /^INGRESSCOOKIE=/);
        for (let times = 0; times < 10; times++) {
          const { seen } = await ask("/", { headers: { cookie: pair } });
          assert.equal(seen!.backend, first.seen!.backend);
        }
      },
    },
    "session-cookie-name": {
      annotations: { ...AFFINITY, "session-cookie-name": "route" },
      service: "pair",
      check: cookie("route", "Path=/"),
    },
    "session-cookie-path": {
      annotations: { ...AFFINITY, "session-cookie-path": "/shop" },
      service: "pair",
      check: cookie("INGRESSCOOKIE", "Path=/shop"),
    },
    "session-cookie-max-age": {
      annotations: { ...AFFINITY, "session-cookie-max-age": "172800" },
      service: "pair",
      check: cookie("INGRESSCOOKIE", "Max-Age=172800"),
    },
    "session-cookie-samesite": {
      annotations: { ...AFFINITY, "session-cookie-samesite": "None" },
      service: "pair",
      check: cookie("INGRESSCOOKIE", "SameSite=None", "Secure"),
    },
    "session-cookie-secure": {
      annotations: { ...AFFINITY, "session-cookie-secure": "true" },
      service: "pair",
      check: cookie("INGRESSCOOKIE", "Secure"),
    },
    "upstream-hash-by": {
      annotations: { "upstream-hash-by": "$request_uri" },
      service: "pair",
      check: spread((i) => `/page/${i}?x=${i % 3}`),
    },
    "upstream-hash-by-arg": {
      annotations: { "upstream-hash-by": "$arg_user" },
      service: "pair",
      check: spread((i) => `/?user=u${i}`),
    },
    "load-balance": {
      annotations: { "load-balance": "round_robin" },
      service: "pair",
      check: async (ask) => {
        const [one, other] = await reached(ask, ["/", "/"]);
        assert.notEqual(one, other);
        assert.deepEqual(await reached(ask, ["/", "/", "/"]), [one, other, one]);
      },
    },
    "load-balance-ewma": {
      annotations: { "load-balance": "ewma" },
      service: "pair",
      check: status(200),
    },
    "upstream-vhost": {
      annotations: { "upstream-vhost": "inner.example.org" },
      check: async (ask) => assert.equal((await ask()).seen?.headers.host, "inner.example.org"),
    },
    "x-forwarded-prefix": {
      annotations: { "x-forwarded-prefix": "/api", "rewrite-target": "/$1" },
      path: "/api/(.*)",
      check: async (ask) => {
        const { seen } = await ask("/api/x");
        assert.deepEqual([seen?.url, seen?.headers["x-forwarded-prefix"]], ["/x", "/api"]);
      },
    },
    "auth-type": {
      annotations: {
        ...BASIC,
        "auth-secret": "default/users",
        "auth-realm": "Inner rooms",
        "auth-secret-type": "auth-file",
      },
      check: async (ask) => {
        const { status, headers } = await ask();
        const challenge = headers.get("www-authenticate");
        assert.deepEqual([status, challenge?.startsWith('Basic realm="Inner rooms"')], [401, true]);
        // Backends see who it is, as behind ingress-nginx.
        const { seen } = await ask("/", ann);
        assert.equal(seen?.headers.authorization, ann.headers.authorization);
        assert.equal((await ask("/", userOf("tim:test"))).status, 200);
        assert.equal((await ask("/", userOf("tim:tset"))).status, 401);
        // The line of another kind shuts out its own user.
        assert.equal((await ask("/", userOf("eve:test"))).status, 401);
      },
    },
    "auth-secret": {
      annotations: { ...BASIC, "auth-secret": "absent" },
      check: async (ask) => assert.ok((await ask("/", ann)).status >= 500),
    },
    "auth-url": {
      annotations: { ...asksAuth, "auth-response-headers": "X-User" },
      check: async (ask) => {
        assert.equal((await ask()).status, 401);
        assert.equal((await ask("/", passes)).seen?.headers["x-user"], "ann");
      },
    },
    "auth-signin": {
      annotations: { ...asksAuth, "auth-signin": "https://login.example.com/start" },
      check: all(
        async (ask) => {
          const { status, headers } = await ask("/inner?a=1");
          assert.equal(status, 302);
          const target = new URL(headers.get("location")!);
          assert.equal(target.origin + target.pathname, "https://login.example.com/start");
          const back = new URL(target.searchParams.get("rd")!);
          assert.deepEqual([back.hostname, back.pathname, back.search], [
            "auth-signin.example.com",
            "/inner",
            "?a=1",
          ]);
        },
        status(200, "/", passes),
      ),
    },
    "enable-cors": {
      annotations: cors,
      check: all(
        preflightSays("access-control-allow-origin", "*"),
        preflightSays("access-control-max-age", "1728000"),
      ),
    },
    "cors-allow-origin": {
      annotations: { ...cors, "cors-allow-origin": "https://a.example.com, https://b.example.com" },
      check: all(
        preflightSays("access-control-allow-origin", "https://a.example.com"),
        preflightSays("access-control-allow-credentials", "true"),
      ),
    },
    "cors-allow-methods": {
      annotations: { ...cors, "cors-allow-methods": "GET, PUT" },
      check: preflightSays("access-control-allow-methods", "GET, PUT"),
    },
    "cors-allow-headers": {
      annotations: { ...cors, "cors-allow-headers": "X-One, X-Two" },
      check: preflightSays("access-control-allow-headers", "X-One, X-Two"),
    },
    "cors-allow-credentials": {
      annotations: {
        ...cors,
        "cors-allow-origin": "https://a.example.com",
        "cors-allow-credentials": "false",
      },
      check: async (ask) => {
        const { headers } = await ask("/", preflight);
        assert.equal(headers.get("access-control-allow-origin"), "https://a.example.com");
        assert.equal(headers.get("access-control-allow-credentials"), undefined);
      },
    },
    "cors-expose-headers": {
      annotations: { ...cors, "cors-expose-headers": "X-Total" },
      check: async (ask) => {
        const { headers } = await ask("/", { headers: { origin: "https://a.example.com" } });
        assert.equal(headers.get("access-control-expose-headers"), "X-Total");
      },
    },
    "cors-max-age": {
      annotations: { ...cors, "cors-max-age": "60" },
      check: preflightSays("access-control-max-age", "60"),
    },
    "limit-rps": {
      annotations: { "limit-rps": "1", "limit-burst-multiplier": "2" },
      check: async (ask) => {
        const statuses: number[] = [];
        for (let times = 0; times < 30; times++) statuses.push((await ask()).status);
        assert.deepEqual(statuses.slice(0, 2), [200, 200]);
        assert.ok(statuses.includes(429));
      },
    },
    "limit-rpm": {
      annotations: { "limit-rpm": "1", "limit-burst-multiplier": "1" },
      check: all(status(200), status(429)),
    },
    "whitelist-source-range": {
      annotations: { "whitelist-source-range": "192.0.2.0/24" },
      check: status(403),
    },
    "whitelist-source-range-in": {
      annotations: { "whitelist-source-range": "192.0.2.0/24, 127.0.0.0/8" },
      check: status(200),
    },
    "allowlist-source-range": {
      annotations: { "allowlist-source-range": "192.0.2.0/24" },
      check: status(403),
    },
    "denylist-source-range": {
      annotations: { "denylist-source-range": "127.0.0.1" },
      check: status(403),
    },
    "canary": { annotations: {}, canary: CANARY, check: servedBy("web") },
    "canary-weight": {
      annotations: {},
      canary: { ...CANARY, "canary-weight": "100" },
      check: servedBy("next"),
    },
    "canary-weight-total": {
      annotations: {},
      canary: { ...CANARY, "canary-weight": "100", "canary-weight-total": "1000" },
      check: async (ask) => {
        const places = await reached(ask, new Array(100).fill("/"));
        const part = places.filter((backend) => backend === "next").length;
        assert.ok(part > 0 && part < 50, `${part} of 100`);
      },
    },
    "canary-by-header": {
      annotations: {},
      canary: { ...CANARY, "canary-by-header": "X-Canary", "canary-weight": "100" },
      check: all(
        servedBy("next", { headers: { "x-canary": "always" } }),
        servedBy("web", { headers: { "x-canary": "never" } }),
        servedBy("next"),
      ),
    },
    "canary-by-header-value": {
      annotations: {},
      canary: { ...CANARY, "canary-by-header": "X-Canary", "canary-by-header-value": "beta" },
      check: all(
        servedBy("next", { headers: { "x-canary": "beta" } }),
        servedBy("web", { headers: { "x-canary": "always" } }),
      ),
    },
    "canary-by-header-pattern": {
      annotations: {},
      canary: {
        ...CANARY,
        "canary-by-header": "X-Canary",
        "canary-by-header-pattern": "be(ta|st)",
      },
      check: all(
        servedBy("next", { headers: { "x-canary": "best" } }),
        servedBy("web", { headers: { "x-canary": "bench" } }),
      ),
    },
    "canary-by-cookie": {
      annotations: {},
      canary: { ...CANARY, "canary-by-cookie": "beta" },
      check: all(
        servedBy("next", { headers: { cookie: "a=b; beta=always" } }),
        servedBy("web", { headers: { cookie: "beta=never" } }),
        servedBy("web"),
      ),
    },
    "service-upstream": { annotations: { "service-upstream": "true" }, check: status(200) },
  };
}

/** Values that cannot be kept, of annotations that restrict. */
const BAD: readonly Readonly<Record<string, string>>[] = [
  { "whitelist-source-range": "office" },
  { "whitelist-source-range": "" },
  { "denylist-source-range": "10.0.0.0/8, 10.0.0.0/99" },
  { "auth-type": "digest", "auth-secret": "users" },
  { "auth-secret": "users" },
  { ...BASIC, "auth-secret": "other/users" },
  { ...BASIC, "auth-secret-type": "auth-map" },
  { "auth-url": "http://$host/check" },
  { "auth-signin": "https://login.example.com" },
  { "limit-rps": "many" },
  { "limit-rpm": "0" },
  { ...SECURE, "proxy-ssl-verify": "true" },
  { ...SECURE, "proxy-ssl-secret": "other/trusted" },
  { "proxy-body-size": "much" },
];

/** An annotation that nobody knows, but whose name says that it restricts. */
const UNKNOWN = ["auth-oauth", "limit-bandwidth", "denylist-names", "location-snippet"];

Deno.test("an Ingress redirects to TLS only where there is a certificate for its host", async (t) => {
  await using site = await IngressSite.start();
  const certified = ingress({ annotations: {}, host: "own.example.com", tls: true });
  const nameless = ingress({ annotations: {}, host: "nameless.example.com", tls: true })
    .replace(", secretName: site", "");
  const missing = ingress({ annotations: {}, host: "missing.example.com", tls: true })
    .replace("secretName: site", "secretName: absent");
  // Another one of a host that has a certificate, and one that wants the redirect by word.
  const part = ingress(
    { annotations: {}, host: "own.example.com", path: "/part", tls: true },
    "a-part",
  )
    .replace(", secretName: site", "");
  const asked = ingress({
    annotations: { "ssl-redirect": "true" },
    host: "asked.example.com",
    tls: true,
  }).replace(", secretName: site", "");
  await using edge = await Edge.start({
    "site.yaml": site.manifests,
    "ingresses.yaml": documents(certified, nameless, missing, part, asked),
  }, { workers: 1 });
  const ask = async (host: string, path = "/") => (await get(site.http, path, { host })).status;
  const outcome = async (name: string) => {
    const { objects } = await edge.json("/config");
    const { conditions } = objects.find((object: { name: string }) => object.name === name);
    return conditions.find(({ type }: { type: string }) => type === "ResolvedRefs");
  };
  await t.step("without a default certificate", async () => {
    assert.equal(await ask("own.example.com"), 308);
    assert.equal(await ask("own.example.com", "/part"), 308);
    assert.equal(await ask("asked.example.com"), 308);
    for (const name of ["nameless", "missing"]) {
      assert.equal(await ask(`${name}.example.com`), 200);
      assert.match((await outcome(name)).message, /its hosts are served without TLS/);
    }
  });
  await t.step("with one", async () => {
    const parameters = "spec: { ingressPorts";
    await edge.change(
      "site.yaml",
      site.manifests.replace(
        parameters,
        "spec: { defaultCertificateRef: { name: site }, ingressPorts",
      ),
    );
    for (const name of ["own", "nameless", "missing"]) {
      assert.equal(await ask(`${name}.example.com`), 308);
      using secure = await HttpConnection.open(site.https, {
        tls: { servername: `${name}.example.com` },
      });
      const host = `${name}.example.com`;
      assert.equal((await secure.request("GET", "/", { host })).status, 200);
    }
    assert.equal((await outcome("nameless")).status, true);
    assert.match((await outcome("missing")).message, /absent: not found; the class's default/);
    // Clients that ask for no name get it as well.
    using unnamed = await HttpConnection.open(site.https, { tls: {} });
    assert.equal((await unnamed.request("GET", "/", { host: "own.example.com" })).status, 200);
  });
});

Deno.test("bug: two Ingresses for one host and path, and neither was told", async (t) => {
  await using site = await IngressSite.start();
  const one = (name: string, host: string, service: string, path = "/") =>
    ingress({ annotations: {}, host, path, service }, name);
  const wild = "'*.wild.example.com'";
  await using edge = await Edge.start({
    "site.yaml": site.manifests,
    "b.yaml": documents(
      one("b", "both.example.com", "web"),
      one("c", "both.example.com", "next", "/next"),
      one("wild", wild, "web"),
      one("e", "old.example.com", "web"),
      one("d", "old.example.com", "next"),
    ),
  }, { workers: 1 });
  const status = async (host: string) => (await get(site.http, "/", { host })).status;
  const backend = async (host: string) =>
    JSON.parse((await get(site.http, "/", { host })).body).backend;
  const conflict = async (name: string) => {
    const { objects } = await edge.json("/config");
    const { conditions } = objects.find((object: { name: string }) => object.name === name);
    return conditions.find(({ type }: { type: string }) => type === "Conflicted");
  };
  assert.equal(await status("one.wild.example.com"), 200);
  assert.equal(await status("two.one.wild.example.com"), 404);
  assert.equal(await conflict("b"), undefined);
  assert.equal(await backend("both.example.com"), "web");
  // Of two that are there from the start the first one by name serves, and both are told.
  assert.equal(await backend("old.example.com"), "next");
  assert.match(
    (await conflict("d")).message,
    /path \/: served here, and claimed by Ingress default\/e as/,
  );
  assert.match((await conflict("e")).message, /path \/: served by Ingress default\/d$/);
  await t.step("the newcomer waits, though it comes first by name", async () => {
    await edge.change("a.yaml", one("a", "both.example.com", "next"));
    const { errors } = await edge.json("/config");
    assert.match(
      JSON.stringify(errors),
      /waits: PathConflict: spec\.rules\[0\]\.http\.paths\[0\]: host both\.example\.com, path \//,
    );
    assert.equal(await backend("both.example.com"), "web");
  });
  await t.step("it serves once the other one is gone", async () => {
    await edge.change("b.yaml", documents(one("wild", wild, "web")));
    assert.equal(await backend("both.example.com"), "next");
  });
});

Deno.test("annotations of Ingresses: each shows in an answer, and what restricts is never open", async (t) => {
  await using site = await IngressSite.start();
  const table = cases(site);
  const host = (name: string) => `${name}.example.com`;
  const closed = [
    ...ANNOTATIONS.filter(({ restricts }) => restricts).map(({ name }) => name),
    ...UNKNOWN,
  ];
  const ignored = ANNOTATIONS.filter(({ support, restricts }) => support !== "yes" && !restricts);
  const ingresses = [
    ...Object.entries(table).flatMap(([name, { canary, ...rest }]) => [
      ingress({ ...rest, host: host(name) }),
      ...(canary === undefined
        ? []
        : [ingress({ annotations: canary, host: host(name), service: "next" }, `${name}-next`)]),
    ]),
    ...BAD.map((annotations, i) => ingress({ annotations, host: host(`bad-${i}`) })),
    ...closed.map((name) => ingress({ annotations: { [name]: "x" }, host: host(`no-${name}`) })),
    ...ignored.map(({ name }) =>
      ingress({ annotations: { [name]: "x" }, host: host(`ignored-${name}`) })
    ),
  ];
  await using _edge = await Edge.start({
    "site.yaml": site.manifests,
    "ingresses.yaml": documents(...ingresses),
  }, { workers: 1 });

  const asker =
    (name: string): Ask => async (path = "/", { method, headers, body, secure } = {}) => {
      using connection = secure === true
        ? await HttpConnection.open(site.https, { tls: { servername: host(name) } })
        : await HttpConnection.open(site.http);
      const fields = { host: host(name), ...headers };
      const answer = await connection.request(method ?? "GET", path, fields, body);
      const echoed = answer.headers.get("content-type") === "application/json";
      return { ...answer, seen: echoed ? JSON.parse(answer.body) as Echo : null };
    };

  await t.step("every annotation that is served has a case", () => {
    const shown = new Set(
      Object.values(table).flatMap(({ annotations, canary = {} }) => [
        ...Object.keys(annotations),
        ...Object.keys(canary),
      ]),
    );
    const served = ANNOTATIONS.filter(({ support }) => support === "yes").map(({ name }) => name);
    assert.deepEqual(served.filter((name) => !shown.has(name)), []);
  });
  for (const [name, { check }] of Object.entries(table)) {
    await t.step(name, () => check(asker(name), site));
  }
  for (const [i, annotations] of BAD.entries()) {
    await t.step(`answers 503: ${JSON.stringify(annotations)}`, async () => {
      assert.equal((await asker(`bad-${i}`)()).status, 503);
    });
  }
  for (const name of closed) {
    await t.step(`answers 503: ${name}`, async () => {
      assert.equal((await asker(`no-${name}`)()).status, 503);
    });
  }
  for (const { name } of ignored) {
    await t.step(`has no effect: ${name}`, () => servedBy("web")(asker(`ignored-${name}`), site));
  }
});
