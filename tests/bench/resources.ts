import type { Certificate } from "./certificate.ts";

/** Host of a route, counted from 0. */
export function hostOf(index: number): string {
  return `h${index}.example.com`;
}

/** Hosts of the first `count` routes. */
export function hosts(count: number): string[] {
  return Array.from({ length: count }, (_, index) => hostOf(index));
}

/** A gateway with one listener, which speaks TLS when a Secret is named. */
export function gatewayYaml(port: number, secret: string | null = null): string {
  const tls = secret === null ? "" : `      tls:
        secretRef:
          name: ${secret}
`;
  return `apiVersion: novaedge.io/v1alpha1
kind: ProxyGateway
metadata:
  name: bench
spec:
  listeners:
    - name: http
      port: ${port}
      protocol: ${secret === null ? "HTTP" : "HTTPS"}
      address: 127.0.0.1
${tls}`;
}

/** A certificate with its key. */
export function secretYaml(
  name: string,
  { certificate, key }: Pick<Certificate, "certificate" | "key">,
): string {
  return `apiVersion: v1
kind: Secret
metadata:
  name: ${name}
type: kubernetes.io/tls
data:
  tls.crt: ${btoa(certificate)}
  tls.key: ${btoa(key)}
`;
}

/** A backend with one endpoint. */
export function backendYaml(name: string, port: number, protocol = "HTTP"): string {
  return `apiVersion: novaedge.io/v1alpha1
kind: ProxyBackend
metadata:
  name: ${name}
spec:
  protocol: ${protocol}
  endpoints:
    - address: 127.0.0.1
      port: ${port}
`;
}

/** A route of its own host to a backend. */
export function routeYaml(index: number, backend: string): string {
  return `apiVersion: novaedge.io/v1alpha1
kind: ProxyRoute
metadata:
  name: h${index}
spec:
  hostnames:
    - ${hostOf(index)}
  rules:
    - matches:
        - path:
            type: PathPrefix
            value: /
      backendRefs:
        - name: ${backend}
`;
}

/** Documents as one file. */
export function oneFile(documents: readonly string[]): string {
  return documents.join("---\n");
}
