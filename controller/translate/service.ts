import { Kind } from "../../common/delta/resources.ts";
import {
  Backend,
  LbPolicy,
  UpstreamProtocol,
  type UpstreamTls,
} from "../../proto/gen/novaedge/v1/config.ts";
import { Conditions } from "./conditions.ts";
import type { Derived, DerivedResource } from "./derived.ts";
import { serviceEndpoints } from "./endpoints.ts";
import { backendAs, clientCertificateOf } from "./client_certificate.ts";
import { type GatewayRoute, parentsOf } from "./gateway_parents.ts";
import { policyTls } from "./backend_tls_policy.ts";
import { policiesOf } from "./policy_targets.ts";
import { fullName, type ObjectKey, objectKey, type SourceObject } from "./source_object.ts";
import { appProtocolOf } from "./upstream.ts";
import type { View } from "./view.ts";

/** Routes of the Gateway API that name Services, and whether they speak gRPC. */
const ROUTES = [["HTTPRoute", false], ["GRPCRoute", true]] as const;
/** What leads to a Service without gRPC. */
const PLAIN = ["HTTPRoute", "Ingress"] as const;

/**
 * Name of the backend that a Service's port is for a kind of route.
 * @param grpc a route of gRPC, to which a port that says nothing speaks HTTP/2
 */
export function serviceBackend(service: ObjectKey, port: number, grpc: boolean): string {
  return `${objectKey(service)}:${port}${grpc ? "/grpc" : ""}`;
}

const SYSTEM_ROOTS: UpstreamTls = {
  serverName: "",
  ca: "",
  clientCertificate: "",
  insecure: false,
  sans: [],
};

/** The certificates that the Gateways from which a Service is reached show it; "" for none. */
function certificatesFor(service: SourceObject<"Service">, view: View): Set<string> {
  if (view.select("Gateway", "client-certificate", "all").length === 0) return new Set([""]);
  const found = new Set<string>();
  if (view.select("Ingress", "route-service", fullName(service)).length > 0) found.add("");
  for (const [kind] of ROUTES) {
    for (const route of view.select(kind, "route-service", fullName(service))) {
      for (const { gateway } of parentsOf(route as GatewayRoute, view)) {
        found.add(clientCertificateOf(gateway, view, new Conditions()) ?? "");
      }
    }
  }
  return found;
}

/** Translates a Service: a backend for each port that a route of the Gateway API names. */
export function deriveService(service: SourceObject<"Service">, view: View): Derived {
  const outcome = new Conditions().expect("Accepted").outcome(service);
  const { namespace, name, body } = service;
  const resources: DerivedResource[] = [];
  if (body.spec.type === "ExternalName" && view.externalNetworks.length === 0) {
    return { outcome, resources };
  }
  const certificates = certificatesFor(service, view);
  for (const [kinds, grpc] of [[PLAIN, false], [["GRPCRoute"], true]] as const) {
    const used = kinds.some((kind) =>
      view.select(kind, "route-service", fullName(service)).length > 0
    );
    if (!used) continue;
    const policies = policiesOf(view, { kind: "Service", namespace, name });
    for (const servicePort of body.spec.ports ?? []) {
      const { port, appProtocol = "" } = servicePort;
      const spoken = appProtocolOf(appProtocol);
      if (spoken === null) continue;
      const policy = policyTls(service, servicePort.name, view);
      const tls = policy?.tls ?? (spoken.secure ? SYSTEM_ROOTS : undefined);
      const { endpoints, networks } = serviceEndpoints(service, servicePort, view);
      const message = Backend.create({
        namespace,
        name: `${name}:${port}`,
        lbPolicy: LbPolicy.LB_POLICY_ROUND_ROBIN,
        endpoints,
        networks: [...networks],
        protocol: grpc && appProtocol === ""
          ? UpstreamProtocol.UPSTREAM_PROTOCOL_HTTP2
          : spoken.protocol,
        closedReason: policy?.closedReason ?? "",
        policies,
      });
      for (const certificate of certificates) {
        const own = { ...message, tls: tls && { ...tls, clientCertificate: certificate } };
        resources.push({
          kind: Kind.KIND_BACKEND,
          name: backendAs(serviceBackend(service, port, grpc), certificate),
          body: Backend.encode(own).finish(),
        });
      }
    }
  }
  return { outcome, resources };
}
