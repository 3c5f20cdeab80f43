import type { Endpoint } from "../../proto/gen/novaedge/v1/config.ts";
import type { ServicePort } from "./service_port.ts";
import { fullName, type SourceObject } from "./source_object.ts";
import type { View } from "./view.ts";

/** Endpoints of a Service's port, and the networks that they must be in (empty for any). */
export interface ServiceEndpoints {
  readonly endpoints: Endpoint[];
  readonly networks: readonly string[];
}

/** Returns the endpoints of a Service's port: the name of an ExternalName, else those of its EndpointSlices. */
export function serviceEndpoints(
  service: SourceObject<"Service">,
  port: ServicePort,
  view: View,
): ServiceEndpoints {
  const { type, externalName = "" } = service.body.spec;
  if (type !== "ExternalName") {
    const slices = view.select("EndpointSlice", "slice-service", fullName(service));
    return { endpoints: sliceEndpoints(slices, port, view), networks: [] };
  }
  const { externalNetworks: networks } = view;
  if (externalName === "") return { endpoints: [], networks };
  const number = typeof port.targetPort === "number" ? port.targetPort : port.port;
  const address = externalName.toLowerCase().replace(/\.$/, "");
  const whole = { weight: 1, zone: "", priority: 0, ready: true };
  return { endpoints: [{ address, port: number, ...whole }], networks };
}

/**
 * Endpoints of a Service: those that are ready, else those that serve while they terminate, else those on nodes
 * that the control plane hears nothing of: it takes their pods for not ready, and knows nothing of them. Slices
 * are united by address and port; of a dual-stack Service the IPv4 addresses are used.
 */
function sliceEndpoints(
  slices: readonly SourceObject<"EndpointSlice">[],
  servicePort: ServicePort,
  view: View,
): Endpoint[] {
  const filled = slices.filter(({ body }) => (body.endpoints ?? []).length > 0);
  const families = new Set(filled.map(({ body }) => body.addressType));
  const family = families.has("IPv4") ? "IPv4" : families.has("IPv6") ? "IPv6" : "FQDN";
  const ready = new Map<string, Endpoint>();
  const leaving = new Map<string, Endpoint>();
  /** Those that are neither, with their nodes. */
  const others: [key: string, endpoint: Endpoint, nodeName: string][] = [];
  for (const { body } of slices) {
    if (body.addressType !== family) continue;
    const port = body.ports?.find((candidate) =>
      (candidate.name ?? "") === (servicePort.name ?? "")
    );
    if (port === undefined || typeof port.port !== "number") continue;
    for (
      const { addresses, conditions, zone = "", weight = 1, nodeName = "" } of body.endpoints ?? []
    ) {
      const endpoint: Endpoint = {
        address: addresses[0],
        port: port.port,
        weight,
        zone,
        priority: 0,
        ready: true,
      };
      const key = `${endpoint.address}|${endpoint.port}`;
      if (conditions?.ready !== false) ready.set(key, endpoint);
      else if (conditions.serving === true && conditions.terminating === true) {
        leaving.set(key, endpoint);
      } else if (conditions.terminating !== true) others.push([key, endpoint, nodeName]);
    }
  }
  let chosen = ready.size > 0 ? ready : leaving;
  if (chosen.size === 0) {
    chosen = new Map(
      others.filter(([, , node]) => isOutOfSight(node, view)).map((
        [key, endpoint],
      ) => [key, endpoint]),
    );
  }
  return [...chosen].sort(([a], [b]) => a < b ? -1 : 1).map(([, endpoint]) => endpoint);
}

/** Whether the control plane hears nothing of a node, or heard of it again just now. */
function isOutOfSight(node: string, view: View): boolean {
  if (node === "") return false;
  const { conditions = [] } = view.get("Node", "", node)?.body.status ?? {};
  return conditions.some(({ type, status }) => type === "Ready" && status === "Unknown");
}
