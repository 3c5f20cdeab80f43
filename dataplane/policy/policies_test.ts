import { ClientShares } from "../loop/client_shares.ts";
import { Overload } from "../loop/overload.ts";
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { Policy } from "../../proto/gen/novaedge/v1/config.ts";
import { policyContext, TestRequest, verdictOf } from "../../tests/support/policies.ts";
import { BasicAuth } from "./basic_auth.ts";
import { PolicyChain } from "./chain.ts";
import { compilePolicy, type PolicyRuntime } from "./compile_policy.ts";
import { IpFilter, ipList } from "./ip_filter.ts";
import type { PolicyContext } from "./policy_context.ts";

type Rule = NonNullable<Policy["rule"]>;

function policy(
  rule: Rule,
  options: { name?: string; override?: boolean } = {},
  context: PolicyContext = policyContext(),
): PolicyRuntime {
  const { name = "p", override = false } = options;
  return compilePolicy(name, Policy.fromPartial({ rule, override }), context);
}

const cors = (changes: object = {}): Rule =>
  ({
    $case: "cors",
    value: {
      origins: ["https://a.example"],
      methods: ["GET", "PUT"],
      headers: ["x-key"],
      expose: [],
      credentials: true,
      maxAge: 60,
      ...changes,
    },
  }) as Rule;

const list = (deny: boolean, ...cidrs: string[]): Rule => ({
  $case: "ipList",
  value: { deny, cidrs, sourceHeader: "" },
});

const answer = (name: string, value: string): Rule => ({
  $case: "answerFields",
  value: { remove: [name], add: [{ name, value }] },
});

const limits = (maxBodyBytes: number, ...methods: string[]): Rule => ({
  $case: "requestLimits",
  value: { maxBodyBytes, methods, idleTimeoutMs: 0 },
});

const rate = (burst: number): Rule => ({
  $case: "rateLimit",
  value: { rate: 1, burst, keys: [{ type: 0, name: "" }], ipv6Prefix: 64, redis: undefined },
});

const sha = (user: string, password: string): Rule => ({
  $case: "basicAuth",
  value: {
    realm: "r",
    strip: true,
    credentials: [{
      user,
      hash: `{SHA}${createHash("sha1").update(password).digest("base64")}`,
    }],
  },
});

const basic = (text: string) => ({
  authorization: `Basic ${btoa(text)}`,
});

Deno.test("CORS: origins, preflights and what backends say", async () => {
  const chain = new PolicyChain([[
    policy(cors({ origins: ["https://*.example", "http://b:8080"] })),
  ]]);
  const asks = { "access-control-request-method": "PUT" };
  const cases: [Record<string, string>, string, string, string[]][] = [
    [{ origin: "https://a.example", ...asks }, "OPTIONS", "204 preflight", [
      "access-control-allow-origin: https://a.example",
      "access-control-allow-credentials: true",
      "vary: Origin",
    ]],
    [{ origin: "https://A.Example" }, "GET", "pass", [
      "access-control-allow-origin: https://A.Example",
      "access-control-allow-credentials: true",
      "vary: Origin",
    ]],
    [{ origin: "http://b:8080" }, "GET", "pass", [
      "access-control-allow-origin: http://b:8080",
      "access-control-allow-credentials: true",
      "vary: Origin",
    ]],
    [{ origin: "https://evil.com", ...asks }, "OPTIONS", "403 origin_refused", ["vary: Origin"]],
    [{ origin: "https://a.example.evil.com" }, "GET", "pass", ["vary: Origin"]],
    [{ origin: "https://evil.com/.example" }, "GET", "pass", ["vary: Origin"]],
    [{ origin: "http://a.example" }, "GET", "pass", ["vary: Origin"]],
    [{ origin: "null" }, "GET", "pass", ["vary: Origin"]],
    [{ origin: "https://a.example" }, "OPTIONS", "pass", [
      "access-control-allow-origin: https://a.example",
      "access-control-allow-credentials: true",
      "vary: Origin",
    ]],
    [{}, "GET", "pass", ["vary: Origin"]],
  ];
  for (const [headers, method, expected, lines] of cases) {
    const request = new TestRequest(headers, { method });
    assert.equal(await verdictOf(chain.check(request)), expected, JSON.stringify(headers));
    assert.deepEqual(request.answerLines, lines);
    assert.ok(request.answerEdits[0].removed.has("access-control-allow-origin"));
  }
});

Deno.test("CORS for everybody: no credentials, no Vary", async () => {
  const chain = new PolicyChain([[
    policy(cors({ origins: ["*"], headers: ["*"], credentials: false })),
  ]]);
  const request = new TestRequest({
    origin: "https://x",
    "access-control-request-method": "GET",
    "access-control-request-headers": "x-a, x-b",
  }, { method: "OPTIONS" });
  const refused = await chain.check(request);
  assert.deepEqual(refused!.answer.fields, [
    ["access-control-allow-methods", "GET, PUT"],
    ["access-control-allow-headers", "x-a, x-b"],
    ["vary", "Access-Control-Request-Headers"],
    ["access-control-max-age", "60"],
  ]);
  assert.deepEqual(request.answerLines, ["access-control-allow-origin: *"]);
});

Deno.test("a preflight is answered before authentication and method limits, other OPTIONS are not", async () => {
  const chain = new PolicyChain([[
    policy(cors()),
    policy(sha("a", "b")),
    policy(limits(0, "GET")),
  ]]);
  const preflight = { origin: "https://a.example", "access-control-request-method": "GET" };
  const verdict = (headers: Record<string, string>, method: string) =>
    verdictOf(chain.check(new TestRequest(headers, { method })));
  assert.equal(await verdict(preflight, "OPTIONS"), "204 preflight");
  assert.equal(await verdict({ origin: "https://a.example" }, "OPTIONS"), "405 method_refused");
  assert.equal(await verdict({}, "GET"), "401 basic_auth");
});

Deno.test("IP lists: denied by one is denied, every level with allow lists must allow", async () => {
  const chain = new PolicyChain([
    [policy(list(false, "10.0.0.0/8")), policy(list(false, "192.168.0.0/16", "fd00::/8"))],
    [policy(list(true, "10.6.0.0/16"))],
    [policy(list(false, "10.0.0.0/9", "192.168.1.0/24", "fd00::/8"))],
  ]);
  const cases: [string, string][] = [
    ["10.1.1.1", "pass"],
    ["::ffff:10.1.1.1", "pass"],
    ["::ffff:a01:101", "pass"],
    ["10.6.1.1", "403 ip_refused"],
    ["::ffff:10.6.1.1", "403 ip_refused"],
    ["10.200.1.1", "403 ip_refused"],
    ["192.168.1.9", "pass"],
    ["192.168.2.9", "403 ip_refused"],
    ["fd00::1", "pass"],
    ["8.8.8.8", "403 ip_refused"],
    ["nonsense", "403 ip_refused"],
  ];
  for (const [client, expected] of cases) {
    assert.equal(await verdictOf(chain.check(new TestRequest({}, { client }))), expected, client);
  }
});

Deno.test("the address in a header counts when a trusted proxy says it", async () => {
  const rule: Rule = {
    $case: "ipList",
    value: { deny: false, cidrs: ["10.0.0.1"], sourceHeader: "x-client" },
  };
  const chain = new PolicyChain([[policy(rule)]]);
  const verdict = (trusted: boolean, headers: Record<string, string>, client: string) =>
    verdictOf(chain.check(new TestRequest(headers, { trusted, client })));
  assert.equal(await verdict(true, { "x-client": "10.0.0.1" }, "9.9.9.9"), "pass");
  assert.equal(await verdict(false, { "x-client": "10.0.0.1" }, "9.9.9.9"), "403 ip_refused");
  assert.equal(await verdict(true, { "x-client": "9.9.9.9" }, "10.0.0.1"), "403 ip_refused");
  assert.equal(await verdict(true, {}, "10.0.0.1"), "pass");
});

Deno.test("the closest policy of a type counts, unless a wider one overrides", () => {
  const named = (name: string, override = false) =>
    policy(answer("x-frame-options", name), { name, override });
  const cases: [PolicyRuntime[][], string][] = [
    [[[named("gateway")], [named("rule")], [named("backend")]], "backend"],
    [[[named("gateway", true)], [named("rule")], [named("backend")]], "gateway"],
    [[[named("gateway", true)], [named("rule", true)]], "gateway"],
    [[[named("gateway")], [named("rule", true)], [named("backend")]], "rule"],
  ];
  for (const [levels, expected] of cases) {
    const request = new TestRequest();
    const chain = new PolicyChain(levels);
    assert.equal(chain.check(request), null);
    assert.deepEqual(request.answerLines, [`x-frame-options: ${expected}`]);
    assert.deepEqual(chain.names, [expected]);
  }
});

Deno.test("a policy that is missing or closed lets nobody pass, and answers keep their fields", async () => {
  const closed = compilePolicy("c", Policy.fromPartial({ closedReason: "why" }), policyContext());
  const unknown = compilePolicy("u", Policy.create(), policyContext());
  for (const bad of [closed, unknown, undefined]) {
    const request = new TestRequest();
    const chain = new PolicyChain([[policy(answer("x-a", "1"))], [bad]]);
    assert.equal(await verdictOf(chain.check(request)), "500 policy_closed");
    assert.notEqual(chain.closedReason, "");
    assert.deepEqual(request.answerLines, ["x-a: 1"]);
  }
});

Deno.test("rate limits say how things stand; IPv6 clients count by network", async () => {
  const context = policyContext();
  const chain = new PolicyChain([[policy(rate(2), {}, context)]]);
  const ask = async (client: string) => {
    const request = new TestRequest({}, { client });
    const verdict = await chain.check(request);
    return [
      verdict?.status ?? 200,
      ...request.answerLines,
      ...verdict?.answer.fields.slice(1) ?? [],
    ];
  };
  const lines = (left: number, reset: number) => [
    "ratelimit-limit: 2",
    `ratelimit-remaining: ${left}`,
    `ratelimit-reset: ${reset}`,
  ];
  assert.deepEqual(await ask("2001:db8::1"), [200, ...lines(1, 1)]);
  assert.deepEqual(await ask("2001:db8:0:0:1::1"), [200, ...lines(0, 2)]);
  assert.deepEqual(await ask("2001:db8::2"), [429, ...lines(0, 2), ["retry-after", "1"]]);
  assert.deepEqual(await ask("2001:db8:0:1::1"), [200, ...lines(1, 1)]);
  assert.deepEqual(await ask("10.0.0.1"), [200, ...lines(1, 1)]);
  assert.deepEqual(await ask("::ffff:10.0.0.1"), [200, ...lines(0, 2)]);
  context.time += 1000;
  assert.deepEqual(await ask("2001:db8::1"), [200, ...lines(0, 2)]);
});

Deno.test("what is counted by: header, cookie, query, path, claim, together; the absent share a bucket", async () => {
  const keys = (...pairs: [number, string][]): Rule => ({
    $case: "rateLimit",
    value: {
      rate: 1,
      burst: 1,
      keys: pairs.map(([type, name]) => ({ type, name })),
      ipv6Prefix: 64,
      redis: undefined,
    },
  });
  const cases: [Rule, TestRequest, TestRequest, boolean][] = [
    [keys([1, "x"]), new TestRequest({ x: "1" }), new TestRequest({ x: "1" }), true],
    [keys([1, "x"]), new TestRequest({ x: "1" }), new TestRequest({ x: "2" }), false],
    [keys([1, "x"]), new TestRequest(), new TestRequest(), true],
    [keys([1, "x"]), new TestRequest(), new TestRequest({ x: "" }), false],
    [keys([3, ""]), new TestRequest(), new TestRequest({}, { path: "/x" }), false],
    [keys([4, "c"]), new TestRequest({ cookie: "c=1" }), new TestRequest({ cookie: "c=2" }), false],
    [
      keys([5, "q"]),
      new TestRequest({}, { query: "q=1" }),
      new TestRequest({}, { query: "q=1" }),
      true,
    ],
    [
      keys([2, "sub"]),
      new TestRequest({}, { claims: { sub: "a" } }),
      new TestRequest({}, { claims: { sub: "b" } }),
      false,
    ],
    [
      keys([1, "x"], [1, "y"]),
      new TestRequest({ x: "a", y: "b" }),
      new TestRequest({ x: "ab", y: "" }),
      false,
    ],
  ];
  for (const [rule, first, second, shared] of cases) {
    const chain = new PolicyChain([[policy(rule)]]);
    assert.equal(await verdictOf(chain.check(first)), "pass");
    assert.equal(await verdictOf(chain.check(second)), shared ? "429 rate_limited" : "pass");
  }
});

Deno.test("basic auth by SHA: right, wrong, unknown, malformed", async () => {
  const chain = new PolicyChain([[policy(sha("ann", "p:w"))]]);
  const cases: [Record<string, string>, string][] = [
    [basic("ann:p:w"), "pass"],
    [basic("ann:p"), "401 basic_auth"],
    [basic("bob:p:w"), "401 basic_auth"],
    [basic("ann"), "401 basic_auth"],
    [{ authorization: "Basic !!!" }, "401 basic_auth"],
    [{ authorization: "Bearer YTpi" }, "401 basic_auth"],
    [{ authorization: `Basic ${btoa(`ann:${"x".repeat(1000)}`)}` }, "401 basic_auth"],
    [{}, "401 basic_auth"],
  ];
  for (const [headers, expected] of cases) {
    assert.equal(await verdictOf(chain.check(new TestRequest(headers))), expected);
  }
});

Deno.test("basic auth by bcrypt: asked once for a right password, each time for a wrong one", async () => {
  const asked: string[] = [];
  const context = policyContext({
    checkPassword: (password) => {
      asked.push(password);
      return Promise.resolve(password === "busy" ? null : password === "right");
    },
  });
  const rule: Rule = {
    $case: "basicAuth",
    value: { realm: "r", strip: false, credentials: [{ user: "ann", hash: "$2b$10$x" }] },
  };
  const chain = new PolicyChain([[policy(rule, {}, context)]]);
  const verdict = (text: string) => verdictOf(chain.check(new TestRequest(basic(text))));
  assert.equal(await verdict("ann:right"), "pass");
  assert.equal(await verdict("ann:right"), "pass");
  assert.equal(await verdict("ann:wrong"), "401 basic_auth");
  assert.equal(await verdict("ann:wrong"), "401 basic_auth");
  // A name that nobody has takes as long, and its password does not help.
  assert.equal(await verdict("bob:right"), "401 basic_auth");
  assert.equal(await verdict("bob:right"), "401 basic_auth");
  assert.equal(await verdict("ann:busy"), "503 auth_busy");
  assert.deepEqual(asked, ["right", "wrong", "wrong", "right", "right", "busy"]);
});

Deno.test("request limits: methods, announced sizes, and the smallest bound for the others", async () => {
  const chain = new PolicyChain([[policy(limits(100, "GET", "POST"))], [policy(limits(50))]]);
  const verdict = (changes: Partial<TestRequest>) => {
    const request = new TestRequest({}, changes);
    return verdictOf(chain.check(request));
  };
  assert.equal(await verdict({ method: "DELETE" }), "405 method_refused");
  assert.equal(await verdict({ method: "POST", contentLength: 50 }), "pass");
  assert.equal(await verdict({ method: "POST", contentLength: 51 }), "413 body_too_large");
});

Deno.test("bug: a path that is limited is one however often its slashes are written", async () => {
  const limit: Rule = {
    $case: "rateLimit",
    value: { rate: 1, burst: 1, keys: [{ type: 3, name: "" }], ipv6Prefix: 64, redis: undefined },
  };
  const chain = new PolicyChain([[policy(limit)]]);
  const verdicts: string[] = [];
  for (const path of ["/a", "//a", "///a", "/b"]) {
    verdicts.push(await verdictOf(chain.check(new TestRequest({}, { path }))));
  }
  assert.deepEqual(verdicts, ["pass", "429 rate_limited", "429 rate_limited", "pass"]);
});

Deno.test("bug: nobody passes a list whose address cannot be told", async () => {
  const sourceHeader = "x-real-ip";
  const deny = new IpFilter([[ipList({ deny: true, cidrs: ["10.6.6.0/24"], sourceHeader })]]);
  const allow = new IpFilter([[ipList({ deny: false, cidrs: ["0.0.0.0/0"], sourceHeader })]]);
  const told = [
    "10.6.6.3:443",
    "1.1.1.1, 10.6.6.3",
    "[::1]",
    "unknown",
    "010.6.6.3",
    '"10.6.6.3"',
    "",
  ];
  for (const address of told) {
    const request = new TestRequest({ [sourceHeader]: address }, { trusted: true });
    assert.equal(await verdictOf(deny.check(request)), "403 ip_refused", address);
    assert.equal(await verdictOf(allow.check(request)), "403 ip_refused", address);
  }
  const other = new TestRequest({ [sourceHeader]: "192.0.2.9" }, { trusted: true });
  assert.equal(await verdictOf(deny.check(other)), "pass");
  assert.equal(await verdictOf(allow.check(other)), "pass");
});

Deno.test("bug: one password in many requests at once is looked at once, and others have their turn", async () => {
  let looks = 0;
  const answers: ((right: boolean) => void)[] = [];
  const context = policyContext({
    checkPassword: () => {
      looks++;
      return new Promise((resolve) => answers.push(resolve));
    },
  });
  const auth = new BasicAuth({
    realm: "r",
    strip: true,
    credentials: [{ user: "a", hash: `$2b$10$${"x".repeat(53)}` }],
  }, context);
  const ask = (password: string) => auth.check(new TestRequest(basic(`a:${password}`)));
  const same = Array.from({ length: 100 }, () => ask("right"));
  assert.equal(looks, 1);
  answers[0](true);
  for (const verdict of same) assert.equal(await verdictOf(verdict), "pass");
  const wrong = Array.from({ length: 20 }, (_, i) => ask(`wrong-${i}`));
  assert.equal(looks, 17);
  assert.equal(await verdictOf(wrong[16]), "503 auth_busy");
  for (const answer of answers) answer(false);
  assert.equal(await verdictOf(wrong[0]), "401 basic_auth");
  void ask("later");
  assert.equal(looks, 18);
});

Deno.test("bug: allow lists of a Service and of its backend must both allow", async () => {
  const chain = new PolicyChain([
    [policy(list(false, "192.0.2.0/24"), { name: "service" })],
    [policy(list(false, "198.51.100.0/24"), { name: "backend" })],
  ]);
  for (const client of ["192.0.2.1", "198.51.100.1"]) {
    assert.equal(await verdictOf(chain.check(new TestRequest({}, { client }))), "403 ip_refused");
  }
});

Deno.test("bug: passwords of one client kept others from being checked; passwords of one client wait for each other", async () => {
  const answers: ((right: boolean) => void)[] = [];
  const context = policyContext({
    checkPassword: () => new Promise((resolve) => answers.push(resolve)),
  });
  const hash = `$2b$10$${"x".repeat(53)}`;
  const auth = new BasicAuth(
    { realm: "r", strip: false, credentials: [{ user: "a", hash }] },
    context,
  );
  const shares = new ClientShares(new Overload());
  const ask = (address: string, password: string) =>
    auth.check(new TestRequest(basic(`a:${password}`), { share: shares.hold(address) }));
  const guesses = Array.from({ length: 40 }, (_, i) => ask("192.0.2.1", `guess-${i}`));
  assert.equal(answers.length, 2, "two at once");
  assert.equal(await verdictOf(guesses[39]), "503 auth_busy", "and so many wait");
  const newcomer = ask("192.0.2.2", "right");
  assert.equal(answers.length, 3, "another client is next");
  answers[2](true);
  assert.equal(await verdictOf(newcomer), "pass");
  answers[0](false);
  assert.equal(await verdictOf(guesses[0]), "401 basic_auth");
  await new Promise((resolve) => setTimeout(resolve));
  assert.equal(answers.length, 4, "the next of those that wait");
});
