/** What the API server itself says of our kinds: their rules, and the policies for what nothing serves yet. */
import assert from "node:assert/strict";
import { parse } from "yaml";
import { type KindName, KINDS } from "../../api/kinds.ts";
import { type ApiClient, ApiError } from "../../controller/source/kubernetes/api_client.ts";
import { objectPath } from "../../controller/source/kubernetes/paths.ts";
import { install, ownCrds } from "./crds.ts";
import { eventually } from "./eventually.ts";
import { withApiServer } from "./tools.ts";

const OWN: readonly KindName[] = ["ProxyGateway", "ProxyRoute", "ProxyBackend", "ProxyPolicy"];

const ENDPOINTS = "endpoints: [{ address: 192.0.2.1, port: 80 }]";
const TARGET = "targetRef: { kind: ProxyRoute, name: web }";
const filter = (text: string) =>
  `rules: [{ backendRefs: [{ name: b }], filters: [{ type: ${text} }] }]`;
const listener = (text: string) => `listeners: [{ name: l, port: 80, ${text} }]`;

/** Specs that the rules refuse, by what is said of them. */
const REFUSED: Readonly<Record<string, [KindName, string]>> = {
  "exactly one of serviceRef and endpoints": ["ProxyBackend", "lbPolicy: P2C"],
  "hashKey needs lbPolicy RingHash or Maglev": [
    "ProxyBackend",
    `${ENDPOINTS}\nhashKey: { type: URI }`,
  ],
  "hashKey of this type needs a name": [
    "ProxyBackend",
    `${ENDPOINTS}\nlbPolicy: RingHash\nhashKey: { type: Header }`,
  ],
  "mode mtls needs clientCertSecretRef": [
    "ProxyBackend",
    `${ENDPOINTS}\ntls: { enabled: true, mode: mtls }`,
  ],
  "type Header needs headerName": [
    "ProxyBackend",
    `${ENDPOINTS}\nsessionAffinity: { type: Header }`,
  ],
  "sameSite None needs secure": [
    "ProxyBackend",
    `${ENDPOINTS}\nsessionAffinity: { sameSite: None }`,
  ],
  "clientAuth needs protocol HTTPS": [
    "ProxyGateway",
    listener("protocol: HTTP, clientAuth: { mode: require, caCertRef: { name: ca } }"),
  ],
  "RequestRedirect needs redirectURL or redirect": ["ProxyRoute", filter("RequestRedirect")],
  "URLRewrite needs rewritePath or rewrite": ["ProxyRoute", filter("URLRewrite")],
  "RequestMirror needs mirrorBackend": ["ProxyRoute", filter("RequestMirror")],
  "DirectResponse needs directResponse": ["ProxyRoute", filter("DirectResponse")],
  "allowCredentials cannot go with every origin": [
    "ProxyPolicy",
    `${TARGET}\ntype: CORS\ncors: { allowOrigins: ["*"], allowCredentials: true }`,
  ],
  ...Object.fromEntries(
    ([
      ["RateLimit", "rateLimit"],
      ["DistributedRateLimit", "distributedRateLimit"],
      ["JWT", "jwt"],
      ["BasicAuth", "basicAuth"],
      ["ForwardAuth", "forwardAuth"],
      ["CORS", "cors"],
      ["IPAllowList", "ipList"],
      ["IPDenyList", "ipList"],
      ["SecurityHeaders", "securityHeaders"],
      ["RequestLimits", "requestLimits"],
    ] as const).map(([type, settings]) => [
      `type ${type} needs ${settings}`,
      ["ProxyPolicy", `${TARGET}\ntype: ${type}`] as [KindName, string],
    ]),
  ),
};

/** Specs with what nothing serves yet, and what is said of them. */
const UNSERVED: Readonly<Record<string, [KindName, string]>> = {
  "spec.waf is not served yet": ["ProxyPolicy", `${TARGET}\ntype: WAF\nwaf: {}`],
  "spec.tls.selfSigned is not served yet": [
    "ProxyBackend",
    `${ENDPOINTS}\ntls: { enabled: true, selfSigned: true }`,
  ],
  "spec.expression is not served yet": [
    "ProxyRoute",
    "expression: 'true'\nrules: [{ backendRefs: [{ name: b }] }]",
  ],
  "spec.listeners[].tls.acme is not served yet": [
    "ProxyGateway",
    listener("protocol: HTTPS, tls: { secretRef: { name: s }, acme: { email: a@example.com } }"),
  ],
  "spec.listeners[].tlsCertificates{}.cipherSuites is not served yet": [
    "ProxyGateway",
    listener(
      "protocol: HTTPS, tlsCertificates: { a.example.com: { secretRef: { name: s }, cipherSuites: [TLS_AES_128_GCM_SHA256] } }",
    ),
  ],
};

/** Specs that are taken: what is switched off, or filled in, asks for nothing. */
const TAKEN: readonly [KindName, string][] = [
  ["ProxyBackend", `${ENDPOINTS}\ntls: { enabled: true, selfSigned: false }`],
  ["ProxyBackend", `${ENDPOINTS}\nlbPolicy: Maglev\nhashKey: { type: URI }`],
  ["ProxyBackend", `${ENDPOINTS}\nconnectionPool: { maxIdleConnsPerHost: 5 }`],
  ["ProxyGateway", listener("protocol: HTTP")],
  ["ProxyRoute", filter("RequestMirror, mirrorBackend: { name: b }")],
  ["ProxyPolicy", `${TARGET}\ntype: CORS\ncors: { allowOrigins: ["https://a.example"] }`],
];

/** What the API server says of an object, which it does not keep: "" when it takes it. */
async function answer(client: ApiClient, kind: KindName, spec: string): Promise<string> {
  const place = objectPath({ kind, namespace: "default", name: "x" });
  const body = {
    apiVersion: "novaedge.io/v1alpha1",
    kind,
    metadata: { name: "x", namespace: "default" },
    spec: parse(spec),
  };
  try {
    const query = { dryRun: "All" };
    await client.request(place.slice(0, place.lastIndexOf("/")), { method: "POST", body, query });
    return "";
  } catch (error) {
    if (!(error instanceof ApiError) || error.status !== 422) throw error;
    return error.message;
  }
}

withApiServer("the API server refuses what would not be served, and says why", async (api) => {
  const client = api.client();
  await install(client, ownCrds());
  for (const [message, [kind, spec]] of Object.entries(REFUSED)) {
    const said = await answer(client, kind, spec);
    assert.ok(said.includes(message), `${message}: ${said || "taken"}`);
  }
  const rules = OWN.flatMap((kind) => KINDS[kind].rules);
  const untested = rules.filter(({ message }) =>
    !Object.keys(REFUSED).some((known) => message.startsWith(known))
  );
  assert.deepEqual(untested, []);
  for (const [message, [kind, spec]] of Object.entries(UNSERVED)) {
    // Policies count some moments after they were made.
    await eventually(message, async () => {
      const said = await answer(client, kind, spec);
      if (said !== "" && !said.includes(message)) throw new Error(said);
      return said !== "";
    });
  }
  for (const [kind, spec] of TAKEN) assert.equal(await answer(client, kind, spec), "", spec);
  client.close();
});
