import type { Service } from "../../api/core.ts";
import type { SourceObject } from "./source_object.ts";

type Port = NonNullable<Service["spec"]["ports"]>[number];

/** A port of a Service that can be led to, or why there is none. */
export type FoundPort =
  | { readonly service: SourceObject<"Service">; readonly port: Port }
  | { readonly reason: string; readonly message: string };

/**
 * The port of a Service that a reference names.
 * @param service null where there is none
 * @param named the number or name of the port
 */
export function servicePort(
  service: SourceObject<"Service"> | null,
  named: number | string | undefined,
): FoundPort {
  if (service === null) return { reason: "BackendNotFound", message: "not found" };
  const { spec } = service.body;
  // Whoever may make one would send us anywhere by a name.
  if (spec.type === "ExternalName") {
    return { reason: "InvalidKind", message: "Services of type ExternalName are not served" };
  }
  const port = spec.ports?.find(({ port, name }) =>
    (typeof named === "number" ? port : name) === named
  );
  return port === undefined || named === undefined
    ? { reason: "BackendNotFound", message: `it has no port ${named ?? ""}` }
    : { service, port };
}
