import type { Endpoint } from "../../proto/gen/novaedge/v1/config.ts";
import type { SourceObject } from "./source_object.ts";

/**
 * Endpoints of a Service: those that are ready, else those that serve while they terminate. Slices are
 * united by address and port; of a dual-stack Service the IPv4 addresses are used.
 */
export function sliceEndpoints(
  slices: SourceObject<"EndpointSlice">[],
  servicePort: { name?: string; port: number },
): Endpoint[] {
  const filled = slices.filter(({ body }) => (body.endpoints ?? []).length > 0);
  const families = new Set(filled.map(({ body }) => body.addressType));
  const family = families.has("IPv4") ? "IPv4" : families.has("IPv6") ? "IPv6" : "FQDN";
  const ready = new Map<string, Endpoint>();
  const leaving = new Map<string, Endpoint>();
  for (const { body } of slices) {
    if (body.addressType !== family) continue;
    const port = body.ports?.find((candidate) =>
      (candidate.name ?? "") === (servicePort.name ?? "")
    );
    if (port === undefined || typeof port.port !== "number") continue;
    for (const { addresses, conditions, zone = "", weight = 1 } of body.endpoints ?? []) {
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
      }
    }
  }
  const chosen = ready.size > 0 ? ready : leaving;
  return [...chosen].sort(([a], [b]) => a < b ? -1 : 1).map(([, endpoint]) => endpoint);
}
