import assert from "node:assert/strict";
import type { SourceObject } from "../source_object.ts";
import { settingsOf } from "./settings.ts";

const NGINX = "nginx.ingress.kubernetes.io/";

function read(annotations: Readonly<Record<string, string>>) {
  return settingsOf({
    namespace: "default",
    body: { metadata: { name: "web", annotations } },
  } as unknown as SourceObject<"Ingress">);
}

const nginx = (name: string, value: string) => read({ [`${NGINX}${name}`]: value });

Deno.test("bug: values that say off closed an Ingress", () => {
  const off: [string, string][] = [
    ["ssl-passthrough", "false"],
    ["satisfy", "all"],
    ["configuration-snippet", ""],
    ["server-snippet", "  \n"],
    ["enable-modsecurity", "false"],
    ["enable-owasp-core-rules", "false"],
    ["auth-tls-verify-client", "off"],
    ["limit-connections", "0"],
    ["enable-global-auth", "false"],
    ["auth-method", "GET"],
    ["auth-keepalive", "10"],
    ["auth-always-set-cookie", "true"],
  ];
  for (const [name, value] of off) assert.equal(nginx(name, value).closed, "", `${name}: ${value}`);
  const on: [string, string][] = [
    ["ssl-passthrough", "true"],
    ["satisfy", "any"],
    ["server-snippet", "deny all;"],
    ["auth-tls-verify-client", "on"],
    ["limit-connections", "5"],
    ["auth-method", "POST"],
    ["whitelist-source-range", ""],
  ];
  for (const [name, value] of on) {
    assert.notEqual(nginx(name, value).closed, "", `${name}: ${value}`);
  }
});

Deno.test("every reason that closes an Ingress is named", () => {
  const { closed } = read({
    [`${NGINX}server-snippet`]: "deny all;",
    [`${NGINX}auth-tls-secret`]: "default/ca",
    [`${NGINX}whitelist-source-range`]: "office",
  });
  for (const name of ["server-snippet", "auth-tls-secret", "whitelist-source-range"]) {
    assert.match(closed, new RegExp(name));
  }
});

Deno.test("variables of nginx are served, or refused, and never sent as text", () => {
  assert.equal(nginx("permanent-redirect", "https://x$request_uri").closed, "");
  assert.equal(nginx("app-root", "/app?from=$escaped_request_uri").closed, "");
  assert.match(nginx("temporal-redirect", "https://$upstream").closed, /\$upstream is not served/);
  assert.match(nginx("auth-url", "https://$host/auth").closed, /must have a fixed address/);
  assert.match(nginx("auth-url", "auth").closed, /is not a URL/);
  assert.match(
    read({ [`${NGINX}auth-url`]: "http://a/", [`${NGINX}auth-signin`]: "https://$x/" }).closed,
    /auth-signin: .*\$x is not served/,
  );
});

Deno.test("bug: what other products' annotations restrict was open without a word", () => {
  const restricting = [
    "traefik.ingress.kubernetes.io/router.middlewares",
    "traefik.ingress.kubernetes.io/router.tls.options",
    "haproxy.org/whitelist",
    "haproxy.org/auth-type",
    "haproxy.org/rate-limit-requests",
    "haproxy-ingress.github.io/denylist-source-range",
    "haproxy-ingress.github.io/oauth",
    "haproxy-ingress.github.io/oauth-uri-prefix",
    "haproxy-ingress.github.io/config-backend",
    "konghq.com/methods",
    "alb.ingress.kubernetes.io/security-groups",
    "nginx.org/basic-auth-secret",
    "nginx.org/jwt-key",
    "nginx.org/location-snippets",
    "nginx.org/policies",
    "appprotect.f5.com/app-protect-enable",
    "konghq.com/plugins",
    "alb.ingress.kubernetes.io/inbound-cidrs",
    "alb.ingress.kubernetes.io/wafv2-acl-arn",
    "alb.ingress.kubernetes.io/auth-type",
  ];
  for (const key of restricting) assert.match(read({ [key]: "x" }).closed, /is not served/, key);
  for (
    const key of [
      "traefik.ingress.kubernetes.io/router.entrypoints",
      "haproxy.org/timeout-client",
      "nginx.org/proxy-read-timeout",
      "alb.ingress.kubernetes.io/scheme",
    ]
  ) {
    const { closed, ignored } = read({ [key]: "x" });
    assert.deepEqual([closed, ignored], ["", [key]], key);
  }
  assert.deepEqual(read({ "cert-manager.io/cluster-issuer": "x" }).ignored, []);
});

Deno.test("annotations of novaedge.io are read as the ones that say the same", () => {
  const { closed, policies, number, text } = read({
    "novaedge.io/whitelist-source-range": "10.0.0.0/8",
    "novaedge.io/proxy-read-timeout": "5m",
    "novaedge.io/proxy-connect-timeout": "3",
    "novaedge.io/rewrite-target": "/$1",
    "novaedge.io/rate-limit-rps": "10",
  });
  assert.equal(closed, "");
  assert.deepEqual(policies.map(({ type }) => type), ["IPAllowList", "RateLimit"]);
  assert.deepEqual([number("proxy-read-timeout"), number("proxy-connect-timeout")], [300, 3]);
  assert.equal(text("rewrite-target"), "/$1");
  assert.match(read({ "novaedge.io/auth-something": "x" }).closed, /auth-something/);
});

Deno.test("bug: a value that cannot be read was dropped without a word", () => {
  const { number, ignored } = nginx("proxy-read-timeout", "1800s");
  assert.equal(number("proxy-read-timeout"), undefined);
  assert.deepEqual(ignored, ['proxy-read-timeout: "1800s" is no number']);
});

Deno.test("an empty rewrite-target rewrites nothing", () => {
  assert.equal(nginx("rewrite-target", "").text("rewrite-target"), undefined);
});
