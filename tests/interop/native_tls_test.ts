/** What the native transport does of TLS beyond the runtime's own, asked for by OpenSSL's client. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { textBackend } from "../support/backends.ts";
import { backend, documents, Edge } from "../support/edge.ts";
import { freePort } from "../support/programs.ts";
import { interop, run } from "./tools.ts";

const NAME = "a.example.com";
const REQUEST = `GET / HTTP/1.1\r\nHost: ${NAME}\r\nConnection: close\r\n\r\n`;

/** Files that OpenSSL made, in a folder. */
class Pki {
  constructor(readonly folder: string, readonly openssl: string) {}

  path(name: string): string {
    return join(this.folder, name);
  }

  async base64(name: string): Promise<string> {
    return btoa(String.fromCharCode(...await Deno.readFile(this.path(name))));
  }

  async call(...args: string[]): Promise<string> {
    const { ok, stdout, stderr } = await run(this.openssl, args, { cwd: this.folder });
    assert.ok(ok, `openssl ${args.join(" ")}: ${stderr}`);
    return stdout;
  }

  /** An authority, and certificates of a server with each kind of key, with what is needed for OCSP. */
  async create(): Promise<void> {
    const subject = ["-subj", "/CN=authority", "-days", "30"];
    await this.call(
      ...["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "ca.key", "-out", "ca.pem"],
      ...subject,
    );
    const keys = { rsa: ["rsa:2048"], ec: ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"] };
    for (const [kind, key] of Object.entries(keys)) {
      await this.call(
        ...["req", "-newkey", ...key, "-nodes", "-keyout", `${kind}.key`, "-out", `${kind}.csr`],
        ...["-subj", `/CN=${NAME}`],
      );
      await Deno.writeTextFile(this.path("ext"), `subjectAltName=DNS:${NAME}\n`);
      await this.call(
        ...["x509", "-req", "-in", `${kind}.csr`, "-CA", "ca.pem", "-CAkey", "ca.key"],
        ...["-set_serial", kind === "ec" ? "7" : "8", "-days", "20", "-extfile", "ext"],
        ...["-out", `${kind}.pem`],
      );
    }
    // The index of an authority: one valid certificate.
    await Deno.writeTextFile(
      this.path("index"),
      `V\t${"491231235959Z"}\t\t07\tunknown\t/CN=${NAME}\n`,
    );
    await this.call("ocsp", "-issuer", "ca.pem", "-cert", "ec.pem", "-reqout", "ocsp.req");
    await this.call(
      ...["ocsp", "-index", "index", "-rsigner", "ca.pem", "-rkey", "ca.key", "-CA", "ca.pem"],
      ...["-reqin", "ocsp.req", "-respout", "ocsp.der", "-ndays", "5"],
    );
  }

  async secret(kind: string, staple = ""): Promise<string> {
    const more = staple === "" ? "" : `, tls.ocsp-staple: ${await this.base64(staple)}`;
    return `apiVersion: v1
kind: Secret
metadata: { name: ${kind} }
type: kubernetes.io/tls
data: { tls.crt: ${await this.base64(`${kind}.pem`)}, tls.key: ${await this.base64(
      `${kind}.key`,
    )}${more} }
`;
  }

  /** What a client of OpenSSL's sees. */
  async client(port: number, ...args: string[]): Promise<string> {
    const command = `(printf '${REQUEST}'; sleep 0.2) | "$0" s_client "$@"`;
    const connect = ["-connect", `127.0.0.1:${port}`, "-servername", NAME, "-CAfile", "ca.pem"];
    const { stdout, stderr } = await run("sh", ["-c", command, this.openssl, ...connect, ...args], {
      cwd: this.folder,
    });
    return stdout + stderr;
  }
}

/** A gateway with one certificate of each kind, one with limits, and a route for both. */
function resources(both: number, limited: number, to: number): string {
  return documents(
    `apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: { name: novaedge }
spec: { controllerName: novaedge.io/gateway-controller }
`,
    `apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: { name: both }
spec:
  gatewayClassName: novaedge
  addresses: [{ value: 127.0.0.1 }]
  listeners:
    - name: https
      port: ${both}
      protocol: HTTPS
      tls: { certificateRefs: [{ name: ec }, { name: rsa }] }
`,
    `apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: both }
spec:
  parentRefs: [{ name: both }]
  rules: [{ backendRefs: [{ group: novaedge.io, kind: ProxyBackend, name: blue }] }]
`,
    `apiVersion: novaedge.io/v1alpha1
kind: ProxyGateway
metadata: { name: limited }
spec:
  listeners:
    - name: https
      port: ${limited}
      protocol: HTTPS
      address: 127.0.0.1
      tls:
        secretRef: { name: rsa }
        cipherSuites: [TLS_CHACHA20_POLY1305_SHA256, TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256]
        ecdhCurves: [P-384]
`,
    `apiVersion: novaedge.io/v1alpha1
kind: ProxyRoute
metadata: { name: limited }
spec:
  rules: [{ backendRefs: [{ name: blue }] }]
`,
    backend("blue", to),
  );
}

await interop(
  "native TLS: keys of both kinds, suites, curves, stapling, resumption in every worker",
  ["openssl", "native"],
  async ({ openssl }, t) => {
    const folder = await Deno.makeTempDir({ prefix: "novaedge-native-tls-" });
    await using blue = textBackend("blue");
    const pki = new Pki(folder, openssl);
    await pki.create();
    const [both, limited] = [freePort(), freePort()];
    const files = {
      "all.yaml": resources(both, limited, blue.port),
      "secrets.yaml": documents(await pki.secret("ec", "ocsp.der"), await pki.secret("rsa")),
    };
    const options = (transport: string) => ({
      workers: 2,
      dataplaneArgs: ["--transport", transport],
    });
    {
      await using _edge = await Edge.start(files, options("native"));

      await t.step("a client gets the certificate of the kind that it can check", async () => {
        const kinds = [["ECDSA+SHA256", "id-ecPublicKey"], ["RSA-PSS+SHA256", "rsaEncryption"]];
        for (const [algorithm, kind] of kinds) {
          const text = await pki.client(both, "-sigalgs", algorithm);
          assert.match(text, /Verify return code: 0/, text);
          assert.ok(text.includes(`PKEY: ${kind}`), text);
          assert.ok(text.includes("blue"), text);
        }
      });

      await t.step("suites and curves are those of the listener", async () => {
        const ask = (...args: string[]) => pki.client(limited, ...args);
        assert.match(await ask("-tls1_3"), /TLSv1.3, Cipher is TLS_CHACHA20_POLY1305_SHA256/);
        assert.match(await ask("-tls1_2"), /TLSv1.2, Cipher is ECDHE-RSA-AES128-GCM-SHA256/);
        assert.match(await ask(), /Server Temp Key: (ECDH, )?(P-384|secp384r1)/);
        for (
          const refused of [
            ["-tls1_3", "-ciphersuites", "TLS_AES_256_GCM_SHA384"],
            ["-tls1_2", "-cipher", "ECDHE-RSA-AES256-GCM-SHA384"],
            ["-groups", "X25519"],
          ]
        ) {
          const text = await ask(...refused);
          assert.ok(!text.includes("blue"), `${refused}: ${text}`);
          assert.match(text, /alert handshake failure/);
        }
      });

      await t.step("what the authority says is shown to whoever asks", async () => {
        const text = await pki.client(both, "-status", "-sigalgs", "ECDSA+SHA256");
        assert.match(text, /OCSP Response Status: successful/);
        assert.match(text, /Cert Status: good/);
        const without = await pki.client(both, "-status", "-sigalgs", "RSA-PSS+SHA256");
        assert.match(without, /OCSP response: no response sent/);
      });

      await t.step("sessions resume whichever worker takes the connection", async () => {
        for (const version of ["-tls1_3", "-tls1_2"]) {
          const first = await pki.client(both, version, "-sess_out", "session");
          assert.match(first, /^New, TLS/m);
          for (let i = 0; i < 12; i++) {
            const more = ["-sess_in", "session", "-sess_out", "session"];
            assert.match(
              await pki.client(both, version, ...more),
              /^Reused, TLS/m,
              `${version} ${i}`,
            );
          }
        }
      });

      await t.step("a session of one listener does not resume at another", async () => {
        await pki.client(limited, "-tls1_2", "-sess_out", "session");
        const there = await pki.client(both, "-tls1_2", "-sess_in", "session");
        assert.match(there, /^New, TLS/m);
      });
    }
    await t.step("on the other transport a listener with limits lets nobody in", async () => {
      await using edge = await Edge.start(files, options("node"));
      assert.ok((await pki.client(both)).includes("blue"));
      assert.ok(!(await pki.client(limited)).includes("blue"));
      const config = await edge.json("/config");
      const problems = JSON.stringify(config.dataplane.listenerProblems);
      assert.match(problems, /cipherSuites and ecdhCurves need --transport native/);
    });
    await Deno.remove(folder, { recursive: true });
  },
);
