import type { AnnotationSupport } from "./annotation_table.ts";

/** Annotations of another product, by the beginning of their keys. */
export interface ForeignAnnotations {
  readonly prefix: string;
  readonly product: string;
}

/** Products whose annotations stay behind when an Ingress changes its class; docs/ingress.md shows them. */
export const FOREIGN: readonly ForeignAnnotations[] = [
  { prefix: "traefik.ingress.kubernetes.io/", product: "Traefik" },
  { prefix: "haproxy.org/", product: "HAProxy" },
  { prefix: "haproxy-ingress.github.io/", product: "HAProxy Ingress" },
  { prefix: "nginx.org/", product: "NGINX Ingress Controller" },
  { prefix: "nginx.com/", product: "NGINX Ingress Controller" },
  { prefix: "appprotect.f5.com/", product: "NGINX App Protect" },
  { prefix: "konghq.com/", product: "Kong" },
  { prefix: "alb.ingress.kubernetes.io/", product: "AWS Load Balancer Controller" },
  { prefix: "appgw.ingress.kubernetes.io/", product: "Azure Application Gateway" },
  { prefix: "projectcontour.io/", product: "Contour" },
  { prefix: "ingress.cilium.io/", product: "Cilium" },
];

/** Words of names that decide who may pass, or how often. */
const RESTRICTS =
  /(?:^|[.-])(?:o?auth\w*|config-(?:backend|frontend|defaults|global)|methods|protocols|security-groups|whitelist|allow-?list|deny-?list|black-?list|inbound-cidrs|limit\w*|rate|waf\w*|jwt|oidc|middlewares|plugins|policies|policy|options|client-ca|acl\w*|\w*snippets?|app-?protect\w*)(?:$|[.-])/;

/** What becomes of another product's annotation; null for a key of none that is known. */
export function foreignSupport(key: string): (AnnotationSupport & { product: string }) | null {
  const found = FOREIGN.find(({ prefix }) => key.startsWith(prefix));
  if (found === undefined) return null;
  const { prefix, product } = found;
  return {
    name: key,
    support: "no",
    restricts: prefix === "appprotect.f5.com/" || RESTRICTS.test(key.slice(prefix.length)),
    note: "",
    product,
  };
}
