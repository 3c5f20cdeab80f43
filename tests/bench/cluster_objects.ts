import { type KindName, KINDS } from "../../api/kinds.ts";
import type { ApiClient } from "../../controller/source/kubernetes/api_client.ts";

/** Requests to the API server at once while objects are made. */
const PARALLEL = 32;
export const NAMESPACES = 50;

/** An object as it is sent to the API server. */
export interface ClusterObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
}

function object(kind: KindName, namespace: string, name: string, rest: object): ClusterObject {
  const { group, version } = KINDS[kind];
  const metadata = namespace === "" ? { name } : { name, namespace };
  return { apiVersion: group === "" ? version : `${group}/${version}`, kind, metadata, ...rest };
}

export function namespaceOf(index: number): string {
  return `team-${index % NAMESPACES}`;
}

export const EDGE = "edge";

/** Namespaces, and one Gateway that routes of all of them may use. */
export function gatewayObjects(port: number): ClusterObject[] {
  const spaces = [EDGE, ...Array.from({ length: NAMESPACES }, (_, i) => namespaceOf(i))];
  return [
    ...spaces.map((name) => object("Namespace", "", name, {})),
    object("GatewayParameters", EDGE, "edge", { spec: { addressPools: ["127.0.0.1"] } }),
    object("GatewayClass", "", "novaedge", {
      spec: {
        controllerName: "novaedge.io/gateway-controller",
        parametersRef: {
          group: "novaedge.io",
          kind: "GatewayParameters",
          name: "edge",
          namespace: EDGE,
        },
      },
    }),
    object("Gateway", EDGE, "edge", {
      spec: {
        gatewayClassName: "novaedge",
        listeners: [{
          name: "http",
          port,
          protocol: "HTTP",
          allowedRoutes: { namespaces: { from: "All" } },
        }],
      },
    }),
  ];
}

/** Name and namespace of the Service of an index. */
export function serviceName(index: number): { namespace: string; name: string } {
  return { namespace: namespaceOf(index), name: `app-${index}` };
}

/** Ready addresses of a Service that never get a request. */
export function idleAddresses(index: number, generation: number): string[] {
  return [1, 2, 3].map((i) => `10.${index >> 8}.${index & 255}.${i + (generation % 20) * 10}`);
}

/** A Service with one slice of endpoints. */
export function serviceObjects(
  { namespace, name }: { namespace: string; name: string },
  addresses: readonly string[],
  port: number,
): ClusterObject[] {
  return [
    object("Service", namespace, name, { spec: { ports: [{ name: "http", port: 80 }] } }),
    {
      ...object("EndpointSlice", namespace, name, {
        addressType: "IPv4",
        ports: [{ name: "http", port, protocol: "TCP" }],
        endpoints: addresses.map((address) => ({
          addresses: [address],
          conditions: { ready: true },
        })),
      }),
      metadata: { namespace, name, labels: { "kubernetes.io/service-name": name } },
    } as ClusterObject,
  ];
}

/** A route of a host to a Service of its namespace. */
export function routeObject(index: number, host: string, service: string): ClusterObject {
  return object("HTTPRoute", namespaceOf(index), `route-${index}`, {
    spec: {
      parentRefs: [{ name: "edge", namespace: EDGE }],
      hostnames: [host],
      rules: [{
        matches: [{ path: { type: "PathPrefix", value: "/" } }],
        backendRefs: [{ name: service, port: 80 }],
      }],
    },
  });
}

/** Path of an object, or of all objects of its kind and namespace. */
export function pathOf({ apiVersion, kind, metadata }: ClusterObject, single: boolean): string {
  const { plural } = KINDS[kind as KindName];
  const root = apiVersion.includes("/") ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
  const space = metadata.namespace === undefined ? "" : `/namespaces/${metadata.namespace}`;
  return `${root}${space}/${plural}${single ? `/${metadata.name}` : ""}`;
}

/** Makes objects, many at once. */
export async function create(
  client: ApiClient,
  objects: readonly ClusterObject[],
): Promise<void> {
  let next = 0;
  const work = async () => {
    for (;;) {
      const index = next++;
      if (index >= objects.length) return;
      const body = objects[index];
      await client.request(pathOf(body, false), { method: "POST", body });
    }
  };
  await Promise.all(Array.from({ length: PARALLEL }, work));
}
