/** Host of a route, counted from 0. */
export function hostOf(index: number): string {
  return `h${index}.example.com`;
}

/** Hosts of the first `count` routes. */
export function hosts(count: number): string[] {
  return Array.from({ length: count }, (_, index) => hostOf(index));
}

/** A gateway with one plain listener. */
export function gatewayYaml(port: number): string {
  return `apiVersion: novaedge.io/v1alpha1
kind: ProxyGateway
metadata:
  name: bench
spec:
  listeners:
    - name: http
      port: ${port}
      protocol: HTTP
      address: 127.0.0.1
`;
}

/** A backend with one endpoint. */
export function backendYaml(name: string, port: number): string {
  return `apiVersion: novaedge.io/v1alpha1
kind: ProxyBackend
metadata:
  name: ${name}
spec:
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
