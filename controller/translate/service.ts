import { Kind } from "../../common/delta/resources.ts";
import { Backend, LbPolicy, UpstreamProtocol } from "../../proto/gen/novaedge/v1/config.ts";
import { Conditions } from "./conditions.ts";
import type { Derived, DerivedResource } from "./derived.ts";
import { sliceEndpoints } from "./endpoints.ts";
import { policiesOf } from "./policy_targets.ts";
import { fullName, type ObjectKey, objectKey, type SourceObject } from "./source_object.ts";
import { appProtocolOf } from "./upstream.ts";
import type { View } from "./view.ts";

/** Routes of the Gateway API that name Services, and whether they speak gRPC. */
const ROUTES = [["HTTPRoute", false], ["GRPCRoute", true]] as const;

/**
 * Name of the backend that a Service's port is for a kind of route.
 * @param grpc a route of gRPC, to which a port that says nothing speaks HTTP/2
 */
export function serviceBackend(service: ObjectKey, port: number, grpc: boolean): string {
  return `${objectKey(service)}:${port}${grpc ? "/grpc" : ""}`;
}

/** Translates a Service: a backend for each port that a route of the Gateway API names. */
export function deriveService(service: SourceObject<"Service">, view: View): Derived {
  const outcome = new Conditions().expect("Accepted").outcome(service);
  const { namespace, name, body } = service;
  const resources: DerivedResource[] = [];
  for (const [kind, grpc] of ROUTES) {
    if (view.select(kind, "route-service", fullName(service)).length === 0) continue;
    const slices = view.select("EndpointSlice", "slice-service", fullName(service));
    const policies = policiesOf(view, { kind: "Service", namespace, name });
    for (const servicePort of body.spec.ports ?? []) {
      const { port, appProtocol = "" } = servicePort;
      const spoken = appProtocolOf(appProtocol);
      if (spoken === null) continue;
      const message = Backend.create({
        namespace,
        name: `${name}:${port}`,
        lbPolicy: LbPolicy.LB_POLICY_ROUND_ROBIN,
        endpoints: sliceEndpoints(slices, servicePort),
        protocol: grpc && appProtocol === ""
          ? UpstreamProtocol.UPSTREAM_PROTOCOL_HTTP2
          : spoken.protocol,
        tls: spoken.secure
          ? { serverName: "", ca: "", clientCertificate: "", insecure: false, sans: [] }
          : undefined,
        policies,
      });
      resources.push({
        kind: Kind.KIND_BACKEND,
        name: serviceBackend(service, port, grpc),
        body: Backend.encode(message).finish(),
      });
    }
  }
  return { outcome, resources };
}
