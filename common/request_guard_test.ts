import assert from "node:assert/strict";
import { HostAllowlist } from "./host_allowlist.ts";
import { hostRefusal, originRefusal } from "./request_guard.ts";

const hosts = new HostAllowlist("127.0.0.1");

/** A request as the runtime's server hands it over: `host` as its Host field, the URL made of it. */
function asked(headers: Record<string, string>, url?: string, method = "GET"): Request {
  return {
    method,
    url: url ?? `http://${headers.host || "localhost:9901"}/config`,
    headers: new Headers(headers),
  } as Request;
}

Deno.test("a request is refused by 421 for its Host, and for the authority of its target", async () => {
  assert.equal(hostRefusal(asked({ host: "localhost:9901" }), hosts), null);
  assert.equal(hostRefusal(asked({}), hosts), null);
  const refused = [
    asked({ host: "evil.example" }),
    asked({ host: "a b" }),
    asked({ host: "" }),
    asked({ host: "localhost" }, "http://evil.example/config"),
    asked({}, "http://evil.example/config"),
    asked({ host: "localhost" }, "http://user:password@localhost/config"),
  ];
  for (const request of refused) {
    const answer = hostRefusal(request, hosts);
    assert.equal(answer?.status, 421);
    assert.match(await answer!.text(), /is not served here: .*--admin-hosts/);
  }
});

Deno.test("a request of another origin is refused by 403, whatever its method", () => {
  const host = "localhost:9901";
  const own = ["http://localhost:9901", "https://localhost:9901", "HTTP://LOCALHOST:9901"];
  const foreign = [
    ...["http://evil.example", "null", "", "http://localhost", "http://localhost:3000", "*"],
    ...["http://127.0.0.1:9901", "file://", "http://localhost:9901/", "http://localhost:9901.evil"],
    "chrome-extension://abc",
  ];
  for (const method of ["GET", "HEAD", "PUT", "POST", "DELETE", "OPTIONS"]) {
    for (const origin of own) {
      assert.equal(originRefusal(asked({ host, origin }, undefined, method)), null, origin);
    }
    for (const origin of foreign) {
      assert.equal(originRefusal(asked({ host, origin }, undefined, method))?.status, 403, origin);
    }
  }
});

Deno.test("an origin on its scheme's own port is that of a Host without port", () => {
  const origin = "https://admin.example.com";
  for (const host of ["admin.example.com", "admin.example.com:443"]) {
    assert.equal(originRefusal(asked({ host, origin })), null);
  }
  assert.equal(originRefusal(asked({ host: "admin.example.com:80", origin }))?.status, 403);
});

Deno.test("a page of another site is refused by Sec-Fetch-Site too", () => {
  const host = "localhost";
  for (const site of ["none", "same-origin"]) {
    assert.equal(originRefusal(asked({ host, "sec-fetch-site": site })), null);
  }
  for (const site of ["cross-site", "same-site", "Cross-Site", "else"]) {
    assert.equal(originRefusal(asked({ host, "sec-fetch-site": site }))?.status, 403);
  }
});
