import assert from "node:assert/strict";
import { hasVariables, templateProblem, urlTemplate } from "./url_template.ts";

const VALUES = {
  scheme: "https",
  host: "A.test:8443",
  method: "GET",
  path: "/a/$host",
  query: "b=c&d=%20",
};

Deno.test("a template takes its variables from the request, once", () => {
  const cases: [string, string][] = [
    ["https://x/", "https://x/"],
    ["$scheme://$http_host$request_uri", "https://A.test:8443/a/$host?b=c&d=%20"],
    [
      "https://$host/start?rd=$escaped_request_uri",
      "https://a.test/start?rd=%2Fa%2F%24host%3Fb%3Dc%26d%3D%2520",
    ],
    ["${scheme}://x$uri$is_args$args", "https://x/a/$host?b=c&d=%20"],
    ["/m/$request_method", "/m/GET"],
  ];
  for (const [text, expected] of cases) {
    assert.equal(templateProblem(text), "");
    assert.equal(urlTemplate(text)(VALUES), expected);
  }
  assert.equal(urlTemplate("$uri$is_args$args")({ ...VALUES, query: "" }), "/a/$host");
});

Deno.test("what is no variable is named", () => {
  assert.match(templateProblem("https://$upstream_addr/"), /\$upstream_addr is not served/);
  assert.match(templateProblem("https://${constructor}/"), /\$\{constructor\} is not served/);
  assert.match(templateProblem("https://x/$"), /begins no variable/);
  assert.equal(hasVariables("https://x/"), false);
});
