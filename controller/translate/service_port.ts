import type { Service } from "../../api/core.ts";
import type { SourceObject } from "./source_object.ts";
import type { View } from "./view.ts";

/** A port of a Service. */
export type ServicePort = NonNullable<Service["spec"]["ports"]>[number];

/** A port of a Service that can be led to, or why there is none. */
export type FoundPort =
  | { readonly service: SourceObject<"Service">; readonly port: ServicePort }
  | { readonly reason: string; readonly message: string };

/**
 * Returns the port of a Service that a reference names, or why there is none.
 * @param service null where there is none
 * @param named the number or name of the port
 */
export function servicePort(
  service: SourceObject<"Service"> | null,
  named: number | string | undefined,
  { externalNetworks }: View,
): FoundPort {
  if (service === null) return { reason: "BackendNotFound", message: "not found" };
  const { spec } = service.body;
  // Its author would send the gateway's connections anywhere by a name.
  if (spec.type === "ExternalName" && externalNetworks.length === 0) {
    const message = "Services of type ExternalName are served only within the networks that " +
      "--external-name-networks of the controller allows";
    return { reason: "InvalidKind", message };
  }
  if (named === undefined) {
    return { reason: "BackendNotFound", message: "the reference has no port" };
  }
  const port = spec.ports?.find(({ port, name }) =>
    (typeof named === "number" ? port : name) === named
  );
  if (port !== undefined) return { service, port };
  const message = `it has no port ${named}; it has ${portNames(spec.ports ?? [])}`;
  return { reason: "BackendNotFound", message };
}

function portNames(ports: readonly ServicePort[]): string {
  if (ports.length === 0) return "none (spec.ports is empty)";
  return ports.map(({ name, port }) => name === undefined ? `${port}` : `${port} (${name})`)
    .join(", ");
}
