import { Buffer } from "node:buffer";
import { secret } from "../../support/authority.ts";
import { type EditedSite, versionedRoute } from "./site.ts";

/** An edit that must not be served, and must take nothing down. */
export interface BadEdit {
  readonly name: string;
  /** File below the folder, and its text. */
  readonly file: string;
  readonly text: string | Uint8Array;
  /** What its outcome must say: object or file, field, and reason. */
  readonly says: RegExp;
  /** The same of a check, which does not know what served before; `says` when it does not matter. */
  readonly offline?: RegExp;
}

const resource = (kind: string, name: string, spec: string, api = "novaedge.io/v1alpha1") =>
  `apiVersion: ${api}\nkind: ${kind}\nmetadata: { name: ${name} }\nspec: ${spec}\n`;

const ingress = (spec: string, annotations = "{}") =>
  `apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: { name: web, annotations: ${annotations} }
spec: { ingressClassName: novaedge, ${spec} }
`;
const WEB = "{ service: { name: web, port: { number: 80 } } }";
const RULE = (host: string) =>
  `rules: [{ host: "${host}", http: { paths: [{ path: /, pathType: Prefix, backend: ${WEB} }] } }]`;

/**
 * All kinds of mistakes.
 * @param number of the edit: names that are new each time
 */
export function badEdits(site: EditedSite, number: number): BadEdit[] {
  const [pair, other] = site.pairs;
  const route = number % 10;
  const file = `routes/r${route}.yaml`;
  const fresh = `x-${number}.yaml`;
  const served = versionedRoute(route, 0);
  return [
    {
      name: "the key of another certificate",
      file: "secret.yaml",
      text: secret("site", { certificate: other.certificate, key: pair.key }),
      says: /Secret\/default\/site.*tls\.key does not belong to tls\.crt/,
    },
    {
      name: "a certificate that is none",
      file: "secret.yaml",
      text: secret("site", { certificate: "garbage", key: pair.key }),
      says: /Secret\/default\/site.*tls\.crt is not a PEM certificate/,
    },
    {
      name: "an encrypted key",
      file: "secret.yaml",
      text: secret("site", {
        certificate: pair.certificate,
        key: "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIB\n-----END ENCRYPTED PRIVATE KEY-----\n",
      }),
      says: /Secret\/default\/site.*tls\.key is encrypted; take its passphrase away/,
    },
    {
      name: "a Secret that is not there",
      file: "gateway.yaml",
      text: site.gateway("siet"),
      says: /ProxyGateway\/default\/edge.*siet: not found/,
    },
    {
      name: "HTTP on the port of HTTPS",
      file: fresh,
      text: resource(
        "ProxyGateway",
        "newcomer",
        `{ listeners: [{ name: http, port: ${site.secure}, protocol: HTTP, address: 127.0.0.1 }] }`,
      ),
      says: new RegExp(`ProxyGateway/default/newcomer.*port ${site.secure} is HTTPS at .*edge`),
    },
    {
      name: "a route of the same name in a file that sorts first",
      file: `a-${number}.yaml`,
      text: versionedRoute(route, 666, "green"),
      says: new RegExp(`ProxyRoute/default/r${route}.*already defined at ${file}`),
      offline: new RegExp(`${file}.*ProxyRoute/default/r${route}.*already defined at a-${number}`),
    },
    {
      name: "a backend of the same name in a file that sorts first",
      file: `a-${number}.yaml`,
      text: resource("ProxyBackend", "blue", "{ endpoints: [{ address: 192.0.2.1, port: 9 }] }"),
      says: /ProxyBackend\/default\/blue.*already defined at backends\.yaml/,
      offline: new RegExp(
        `backends\\.yaml.*ProxyBackend/default/blue.*already defined at a-${number}`,
      ),
    },
    { name: "no YAML", file, text: "{{{{ %%%\n", says: new RegExp(`${file}.*\\w`) },
    {
      name: "a list that does not end",
      file,
      text: served.replace("[{ name: blue }]", "[{ name: blue }"),
      says: new RegExp(`${file}.*\\w`),
    },
    {
      name: "a huge file",
      file: fresh,
      text: `# ${"x".repeat(1_000)}\n`.repeat(17_000),
      says: new RegExp(`${fresh}.*split the file`),
    },
    {
      name: "too many documents",
      file: fresh,
      text: "a: 1\n---\n".repeat(5_001),
      says: new RegExp(`${fresh}.*too many documents.*split the file`),
    },
    {
      name: "UTF-16",
      file: fresh,
      text: Buffer.from(`\ufeff${served}`, "utf16le"),
      says: new RegExp(`${fresh}.*UTF-16`),
    },
    {
      name: "a value that there is not",
      file,
      text: served.replace("ResponseSetHeader", "ResponseSetHeadr"),
      says: new RegExp(`ProxyRoute/default/r${route}.*spec\\.rules\\[0\\]\\.filters\\[0\\]\\.type`),
    },
    {
      name: "a field that there is not",
      file,
      text: served.replace("hostnames:", "hostname:"),
      says: new RegExp(`ProxyRoute/default/r${route}.*spec\\.hostname`),
    },
    {
      name: "a backend that is not there",
      file,
      text: versionedRoute(route, 0, "blu"),
      says: new RegExp(`ProxyRoute/default/r${route}.*ProxyBackend default/blu not found`),
    },
    {
      name: "an address with a scheme",
      file: "backends.yaml",
      text: site.backends.replace("address: 127.0.0.1", 'address: "http://127.0.0.1"'),
      says: /ProxyBackend\/default\/blue.*spec\.endpoints\[0\]\.address.*neither an IP address nor/,
    },
    {
      name: "a pattern that takes for ever",
      file,
      text: served.replace(
        "  rules:\n    - filters",
        '  rules:\n    - matches: [{ path: { type: RegularExpression, value: "/(a)\\\\1" } }]\n      filters',
      ),
      says: new RegExp(`ProxyRoute/default/r${route}.*matches\\[0\\].*linear time`),
    },
    {
      name: "a hostname with a scheme",
      file,
      text: served.replace(/\[(r\d)/, "[https://$1"),
      says: new RegExp(`ProxyRoute/default/r${route}.*spec\\.hostnames\\[0\\]`),
    },
    {
      name: "an Ingress with a snippet that restricts",
      file: fresh,
      text: ingress(
        RULE("web.example.com"),
        '{ nginx.ingress.kubernetes.io/server-snippet: "deny all;" }',
      ),
      says: /Ingress\/default\/web.*server-snippet is not served/,
    },
    {
      name: "an Ingress with a port in its host",
      file: fresh,
      text: ingress(RULE("web.example.com:80")),
      says: /Ingress\/default\/web.*spec\.rules\[0\]\.host.*is not a hostname/,
    },
    {
      name: "an Ingress whose TLS has no certificate",
      file: fresh,
      text: ingress(`tls: [{ hosts: [web.example.com] }], ${RULE("web.example.com")}`),
      says: /Ingress\/default\/web.*spec\.tls\[0\] has no secretName/,
    },
    {
      name: "an Ingress of no class",
      file: fresh,
      text: ingress(RULE("web.example.com")).replace("ingressClassName: novaedge, ", ""),
      says: /Ingress\/default\/web.*it has no ingressClassName/,
    },
    {
      name: "a route whose Gateway is not there",
      file: fresh,
      text: resource(
        "HTTPRoute",
        "lost",
        "{ parentRefs: [{ name: absent }] }",
        "gateway.networking.k8s.io/v1",
      ),
      says: /HTTPRoute\/default\/lost.*Gateway default\/absent: not found/,
    },
    {
      name: "a policy of a type that there is not",
      file: fresh,
      text: resource(
        "ProxyPolicy",
        "limit",
        "{ type: RateLimt, targetRef: { kind: ProxyRoute, name: spare } }",
      ),
      says: /ProxyPolicy\/default\/limit.*spec\.type/,
    },
  ];
}
