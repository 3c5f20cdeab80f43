import { keyOf, Kind, type Resource } from "../../common/delta/resources.ts";
import { Backend, Gateway, Policy, Route, Vip } from "../../proto/gen/novaedge/v1/config.ts";

/** What a resource needs, and what it belongs to. */
export interface References {
  /** Keys of the resources without which it cannot be served. */
  readonly needs: readonly string[];
  /** Names of the gateways that take it: of routes only. */
  readonly gateways: readonly string[];
  /** Addresses that its listeners bind, or that it is itself. */
  readonly addresses: readonly string[];
}

const NONE: References = { needs: [], gateways: [], addresses: [] };

const certificate = (name: string) => keyOf({ kind: Kind.KIND_CERTIFICATE, name });
const backend = (name: string) => keyOf({ kind: Kind.KIND_BACKEND, name });
const policy = (name: string) => keyOf({ kind: Kind.KIND_POLICY, name });

/** Reads what a resource refers to. */
export function referencesOf({ kind, body }: Resource): References {
  switch (kind) {
    case Kind.KIND_GATEWAY:
      return ofGateway(Gateway.decode(body));
    case Kind.KIND_ROUTE:
      return ofRoute(Route.decode(body));
    case Kind.KIND_BACKEND: {
      const { tls, policies, servicePolicies } = Backend.decode(body);
      const certificates = [tls?.ca ?? "", tls?.clientCertificate ?? ""].filter((name) =>
        name !== ""
      );
      const needs = [
        ...certificates.map(certificate),
        ...[...policies, ...servicePolicies].map(policy),
      ];
      return { ...NONE, needs };
    }
    case Kind.KIND_POLICY: {
      const { rule } = Policy.decode(body);
      return rule?.$case === "forwardAuth"
        ? { ...NONE, needs: [backend(rule.value.backend)] }
        : NONE;
    }
    case Kind.KIND_VIP:
      return { ...NONE, addresses: [Vip.decode(body).address] };
    default:
      return NONE;
  }
}

function ofGateway({ listeners, policies }: Gateway): References {
  const needs = policies.map(policy);
  for (const { tls, policies } of listeners) {
    needs.push(...policies.map(policy));
    for (const { certificate: name } of tls?.certificates ?? []) needs.push(certificate(name));
    for (const name of tls?.clientAuth?.cas ?? []) needs.push(certificate(name));
  }
  const addresses = new Set(listeners.flatMap(({ bindAddresses }) => bindAddresses));
  return { needs: [...new Set(needs)], gateways: [], addresses: [...addresses] };
}

function ofRoute({ listeners, rules, policies }: Route): References {
  const needs = new Set(policies.map(policy));
  for (const { backendRefs, filters, policies } of rules) {
    for (const name of policies) needs.add(policy(name));
    const refs = [...backendRefs, ...filters?.mirrors ?? []];
    for (const ref of refs) if (ref.backend !== "") needs.add(backend(ref.backend));
  }
  const gateways = new Set(listeners.map((key) => key.slice(0, key.lastIndexOf("/"))));
  return { needs: [...needs], gateways: [...gateways], addresses: [] };
}
