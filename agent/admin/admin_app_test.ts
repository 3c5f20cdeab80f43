import assert from "node:assert/strict";
import fc from "fast-check";
import { Kind } from "../../common/delta/resources.ts";
import { ResourceStore } from "../../common/delta/resource_store.ts";
import { HostAllowlist } from "../../common/host_allowlist.ts";
import {
  Backend,
  BackendRef,
  Certificate,
  FieldEdit,
  Gateway,
  HealthCheck,
  Policy,
  RequestRedirect,
  Route,
  RouteMatch,
  RouteRule,
  RuleFilters,
  UrlRewrite,
  ValueMatch,
} from "../../proto/gen/novaedge/v1/config.ts";
import { Condition, Outcome, SourceError } from "../../proto/gen/novaedge/v1/distribution.ts";
import { adminApp } from "./admin_app.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const edit = (name: string, value: string) => FieldEdit.create({ add: [{ name, value }] });
const rule = (message: Partial<RouteRule>) =>
  Route.encode(Route.create({ name: "r", rules: [RouteRule.create(message)] })).finish();
const filters = (message: Partial<RuleFilters>) => rule({ filters: RuleFilters.create(message) });
const policy = (message: Policy["rule"]) =>
  Policy.encode(Policy.create({ name: "p", rule: message })).finish();

type Place = (secret: string) => readonly [Kind, Uint8Array];

/** Every place of the configuration that may hold a secret. */
const PLACES: readonly Place[] = [
  (s) => [Kind.KIND_ROUTE, filters({ requestFields: edit("authorization", s) })],
  (s) => [Kind.KIND_ROUTE, filters({ requestFields: edit("x-other", `Bearer ${s}`) })],
  (s) => [Kind.KIND_ROUTE, filters({ responseFields: edit("set-cookie", `id=${s}; Path=/`) })],
  (s) => [
    Kind.KIND_ROUTE,
    rule({ backendRefs: [BackendRef.create({ requestFields: edit("x-api-key", s) })] }),
  ],
  (s) => [
    Kind.KIND_ROUTE,
    rule({
      matches: [
        RouteMatch.create({
          headers: [ValueMatch.create({ name: "cookie", value: s })],
          queryParams: [ValueMatch.create({ name: "access_token", value: s })],
        }),
      ],
    }),
  ],
  (s) => [
    Kind.KIND_ROUTE,
    filters({ redirect: RequestRedirect.create({ url: `https://u:${s}@a.test/?sig=${s}` }) }),
  ],
  (s) => [
    Kind.KIND_ROUTE,
    filters({
      rewrite: UrlRewrite.create({ path: { type: 1, value: `/a?token=${s}`, pattern: "" } }),
    }),
  ],
  (s) => [Kind.KIND_ROUTE, rule({ closedReason: `"//u:${s}@host" is not a path` })],
  (s) => [
    Kind.KIND_GATEWAY,
    Gateway.encode(
      Gateway.create({ name: "g", policies: [`token=${s}`] }),
    ).finish(),
  ],
  (s) => [
    Kind.KIND_BACKEND,
    Backend.encode(
      Backend.create({
        name: "b",
        healthCheck: HealthCheck.create({ path: `/health?api_key=${s}` }),
        affinity: { cookie: "c", path: "/", ttl: 0, sameSite: "", secure: false, key: bytes(s) },
      }),
    ).finish(),
  ],
  (s) => [
    Kind.KIND_POLICY,
    policy({
      $case: "basicAuth",
      value: { realm: "r", credentials: [{ user: "u", hash: s }], strip: true },
    }),
  ],
  (s) => [
    Kind.KIND_CERTIFICATE,
    Certificate.encode(Certificate.create({ name: "c", keyPem: bytes(s), certPem: bytes(s) }))
      .finish(),
  ],
  (s) => [
    Kind.KIND_OUTCOME,
    Outcome.encode(
      Outcome.create({
        name: "o",
        conditions: [Condition.create({ type: "Accepted", message: `"Cookie: a=${s}"` })],
      }),
    ).finish(),
  ],
  (s) => [
    Kind.KIND_SOURCE_ERROR,
    SourceError.encode(
      SourceError.create({ file: "f", reason: `-----BEGIN PRIVATE KEY-----\n${s}\n` }),
    ).finish(),
  ],
];

/** An admin API that holds one resource. */
function appWith(kind: Kind, body: Uint8Array, explained = "{}") {
  const store = new ResourceStore();
  store.set({ kind, name: "n", hash: "h", body });
  return adminApp({
    node: "n",
    store,
    ready: () => ({ ready: true, reason: "" }),
    state: () => ({}),
    stats: () => Promise.reject(new Error("http://u:password-of-a-peer@peer is away")),
    explain: () => Promise.resolve(explained),
    metrics: () => Promise.resolve(""),
    setLogLevel: () => Promise.resolve(),
  }, new HostAllowlist("127.0.0.1"));
}

const secret = fc.string({
  unit: fc.constantFrom(..."abcdefghjkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789-._~"),
  minLength: 8,
  maxLength: 32,
});

Deno.test("property: no place of the configuration shows its secret in /config", async () => {
  await fc.assert(
    fc.asyncProperty(secret, fc.constantFrom(...PLACES), async (text, place) => {
      const [kind, body] = place(text);
      const answer = await appWith(kind, body).request("http://localhost/config");
      const shown = await answer.text();
      assert.equal(answer.status, 200);
      assert.ok(!shown.includes(text), shown);
      assert.ok(!shown.includes(btoa(text)), shown);
    }),
    { numRuns: 1_000 },
  );
});

Deno.test("what is no secret is shown as it is configured", async () => {
  const body = filters({
    requestFields: edit("x-team", "shop"),
    responseFields: edit("x-a", "b; c=d"),
  });
  const config = await (await appWith(Kind.KIND_ROUTE, body).request("http://localhost/config"))
    .json();
  const { requestFields, responseFields } = config.routes[0].rules[0].filters;
  assert.deepEqual(requestFields.add, [{ name: "x-team", value: "shop" }]);
  assert.deepEqual(responseFields.add, [{ name: "x-a", value: "b; c=d" }]);
});

Deno.test("errors and explanations are redacted too", async () => {
  const explained = JSON.stringify({ becomes: "https://u:hunter2@a.test/?token=hunter2" });
  const app = appWith(Kind.KIND_ROUTE, rule({}), explained);
  const failed = await app.request("http://localhost/endpoints");
  assert.equal(failed.status, 503);
  assert.deepEqual(await failed.json(), { error: "http://[redacted]@peer is away" });
  const why = await app.request("http://localhost/why?url=http://a.test/");
  assert.deepEqual(await why.json(), { becomes: "https://[redacted]@a.test/?token=[redacted]" });
});
