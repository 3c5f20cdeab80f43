import assert from "node:assert/strict";
import { AccessError, kubeconfigAccess, podAccess } from "./api_access.ts";

function files(texts: Readonly<Record<string, string>>) {
  return (path: string) => {
    if (!Object.hasOwn(texts, path)) throw new Error(`${path}: no such file`);
    return texts[path];
  };
}

function kubeconfig(user: string, cluster = "server: https://10.0.0.1:6443"): string {
  return `apiVersion: v1
kind: Config
current-context: prod
contexts: [{ name: other, context: {} }, { name: prod, context: { cluster: c, user: u } }]
clusters: [{ name: c, cluster: { ${cluster} } }]
users: [{ name: u, user: { ${user} } }]
`;
}

function access(user: string, cluster?: string) {
  return kubeconfigAccess(
    "/home/ann/config",
    files({
      "/home/ann/config": kubeconfig(user, cluster),
      "/home/ann/pki/ca.crt": "CA",
      "/home/ann/me.crt": "CERT",
      "/me.key": "KEY",
      "/home/ann/token": "from-a-file\n",
    }),
  );
}

Deno.test("a kubeconfig gives certificate, key and authority from data and files", () => {
  const { server, ca, certificate, token } = access(
    "client-certificate: me.crt, client-key: /me.key",
    "server: https://10.0.0.1:6443/, certificate-authority: pki/ca.crt",
  );
  assert.deepEqual([server, ca, certificate], ["https://10.0.0.1:6443", "CA", {
    cert: "CERT",
    key: "KEY",
  }]);
  assert.equal(token(), "");
  const inline = access(
    `client-certificate-data: ${btoa("C")}, client-key-data: ${btoa("K")}`,
    `server: https://h, certificate-authority-data: ${btoa("A")}`,
  );
  assert.deepEqual([inline.ca, inline.certificate], ["A", { cert: "C", key: "K" }]);
});

Deno.test("a kubeconfig gives a token, or the file that has it", () => {
  assert.equal(access("token: abc").token(), "abc");
  assert.equal(access("tokenFile: token").token(), "from-a-file");
});

const REFUSED: readonly [string, string | undefined, RegExp][] = [
  ["exec: { command: aws }", undefined, /exec is not served/],
  ["auth-provider: { name: gcp }", undefined, /auth-provider is not served/],
  ["username: a, password: b", undefined, /username is not served/],
  ["token: a", "server: https://h, insecure-skip-tls-verify: true", /insecure-skip-tls-verify/],
  ["token: a", "certificate-authority: pki/ca.crt", /no server/],
];

for (const [user, cluster, reason] of REFUSED) {
  Deno.test(`a kubeconfig is refused: ${reason.source}`, () => {
    assert.throws(() => access(user, cluster), (error) => {
      assert.ok(error instanceof AccessError);
      assert.match(error.message, reason);
      return true;
    });
  });
}

Deno.test("a kubeconfig without its context is refused by name", () => {
  const read = files({ "/c": "current-context: gone\n" });
  assert.throws(() => kubeconfigAccess("/c", read), /\/c: there is no context "gone"/);
});

Deno.test("a pod has a token that changes on disk, and its cluster's authority", () => {
  const texts: Record<string, string> = {
    "/var/run/secrets/kubernetes.io/serviceaccount/ca.crt": "CA",
    "/var/run/secrets/kubernetes.io/serviceaccount/token": "one\n",
  };
  const { server, ca, token } = podAccess({ host: "fd00::1", port: "6443" }, (path) => texts[path]);
  assert.deepEqual([server, ca, token()], ["https://[fd00::1]:6443", "CA", "one"]);
  texts["/var/run/secrets/kubernetes.io/serviceaccount/token"] = "two\n";
  assert.equal(token(), "two");
  assert.throws(() => podAccess({ host: "", port: "" }, files({})), /this is no pod/);
});
