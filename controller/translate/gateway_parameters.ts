import { cidrProblem } from "../../common/cidr.ts";
import { fullName, type SourceObject } from "./source_object.ts";
import type { View } from "./view.ts";
import { GROUP } from "./grants.ts";

/** What a Gateway's class and the Gateway itself say of the infrastructure that serves it. */
export interface Parameters {
  /** Networks from which addresses come; empty for none. */
  readonly pools: readonly string[];
  /** Ports of Ingresses. */
  readonly ingressPorts: { readonly http: number; readonly https: number };
  /** Secret of the certificate for hosts that have none of their own; null for none. */
  readonly defaultCertificate: { readonly namespace: string; readonly name: string } | null;
  /** Labels of the nodes that serve. */
  readonly nodeSelector: Readonly<Record<string, string>>;
}

/** Parameters that cannot be used. */
export interface ParametersProblem {
  readonly problem: string;
}

/** Without parameters. */
export const NONE: Parameters = {
  pools: [],
  ingressPorts: { http: 80, https: 443 },
  defaultCertificate: null,
  nodeSelector: {},
};

interface Ref {
  readonly group: string;
  readonly kind: string;
  readonly name: string;
  readonly namespace?: string;
}

/** What a reference to parameters says; nothing without one. */
function read(ref: Ref | undefined, view: View): Partial<Parameters> | ParametersProblem {
  if (ref === undefined) return {};
  const { group, kind, name, namespace } = ref;
  if (group !== GROUP || kind !== "GatewayParameters") {
    return { problem: `parametersRef: ${group}/${kind} is not ${GROUP}/GatewayParameters` };
  }
  if (namespace === undefined) return { problem: "parametersRef needs a namespace" };
  const label = fullName({ namespace, name });
  const found = view.get("GatewayParameters", namespace, name);
  if (found === null) return { problem: `GatewayParameters ${label} not found` };
  const { addressPools, ingressPorts, nodeSelector, defaultCertificateRef } = found.body.spec;
  const bad = cidrProblem(addressPools ?? []);
  if (bad !== null) return { problem: `GatewayParameters ${label}: addressPools: ${bad}` };
  return {
    ...(addressPools === undefined ? {} : { pools: addressPools }),
    ...(ingressPorts === undefined
      ? {}
      : { ingressPorts: { ...NONE.ingressPorts, ...ingressPorts } }),
    ...(nodeSelector === undefined ? {} : { nodeSelector }),
    ...(defaultCertificateRef === undefined
      ? {}
      : { defaultCertificate: { namespace, name: defaultCertificateRef.name } }),
  };
}

/** The parameters that a reference leads to. */
export function readParameters(ref: Ref, view: View): Parameters | ParametersProblem {
  const found = read(ref, view);
  return "problem" in found ? found : { ...NONE, ...found };
}

/** The parameters of a class. */
export function classParameters(
  { body: { spec } }: SourceObject<"GatewayClass">,
  view: View,
): Parameters | ParametersProblem {
  const found = read(spec.parametersRef, view);
  return "problem" in found ? found : { ...NONE, ...found };
}

/** The parameters of a Gateway: its own come before those of its class. */
export function gatewayParameters(
  { namespace, body: { spec } }: SourceObject<"Gateway">,
  view: View,
): Parameters | ParametersProblem {
  const found = view.get("GatewayClass", "", spec.gatewayClassName);
  if (found === null) return { problem: `GatewayClass ${spec.gatewayClassName} not found` };
  const wide = classParameters(found, view);
  if ("problem" in wide) return wide;
  const ref = spec.infrastructure?.parametersRef;
  const own = read(ref === undefined ? undefined : { ...ref, namespace }, view);
  return "problem" in own ? own : { ...wide, ...own };
}
