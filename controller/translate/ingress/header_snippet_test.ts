import assert from "node:assert/strict";
import { headerSnippet } from "./header_snippet.ts";

const NOTHING = {
  requestSet: [],
  requestRemove: [],
  responseSet: [],
  responseAdd: [],
  responseRemove: [],
};

Deno.test("a snippet of header fields with fixed values is read", () => {
  const text = `
    # who asks
    proxy_set_header X-Team "edge; and more";
    proxy_set_header Accept-Encoding "";
    add_header X-Frame-Options SAMEORIGIN always;
    more_set_headers "X-A: 1" 'Content-Security-Policy: default-src \\'self\\'';
    more_clear_headers Server; proxy_hide_header X-Powered-By;
    # end`;
  assert.deepEqual(headerSnippet(text), {
    requestSet: [{ name: "X-Team", value: "edge; and more" }],
    requestRemove: ["Accept-Encoding"],
    responseSet: [
      { name: "X-A", value: "1" },
      { name: "Content-Security-Policy", value: "default-src 'self'" },
    ],
    responseAdd: [{ name: "X-Frame-Options", value: "SAMEORIGIN" }],
    responseRemove: ["Server", "X-Powered-By"],
  });
  assert.deepEqual(headerSnippet("  "), NOTHING);
});

Deno.test("a snippet that does anything else is refused by name", () => {
  const wrongs: [string, RegExp][] = [
    ["deny all;", /^deny is not served$/],
    ["proxy_set_header X $remote_user;", /has variables/],
    ["if ($http_x) { return 403; }", /^blocks \(if \(\$http_x\) \{\) are not served$/],
    ["location /a { deny all; }", /blocks/],
    ["add_header X-A 1", /does not end with ;/],
    ['add_header X-A "1;', /cannot be read/],
    ["add_header X-A 1 sometimes;", /needs a name and a value/],
    ["more_clear_headers 'X-Internal-*';", /"X-Internal-\*" is not the name of one field/],
    ["more_clear_headers -s 404 X-Id;", /"-s" is not the name/],
    ["more_set_headers X-A;", /not name: value/],
    ["proxy_set_header Content-Length 5;", /belongs to the connection/],
  ];
  for (const [text, expected] of wrongs) assert.match(String(headerSnippet(text)), expected, text);
});
