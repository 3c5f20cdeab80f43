import {
  Backend,
  Certificate,
  ConfigSnapshot,
  Gateway,
  Node,
  Policy,
  Route,
} from "../../proto/gen/novaedge/v1/config.ts";
import { Kind, type Resource, type Version } from "./resources.ts";

/** The resources of a version as one message. Kinds that are not configuration are left out. */
export function snapshotOf(version: Version, resources: Iterable<Resource>): ConfigSnapshot {
  const snapshot = ConfigSnapshot.create({ version });
  for (const { kind, body } of resources) {
    if (kind === Kind.KIND_GATEWAY) snapshot.gateways.push(Gateway.decode(body));
    else if (kind === Kind.KIND_ROUTE) snapshot.routes.push(Route.decode(body));
    else if (kind === Kind.KIND_BACKEND) snapshot.backends.push(Backend.decode(body));
    else if (kind === Kind.KIND_POLICY) snapshot.policies.push(Policy.decode(body));
    else if (kind === Kind.KIND_NODE) snapshot.nodes.push(Node.decode(body));
    else if (kind === Kind.KIND_CERTIFICATE) snapshot.certificates.push(Certificate.decode(body));
  }
  return snapshot;
}
