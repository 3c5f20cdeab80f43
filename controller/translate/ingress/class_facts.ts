import { INGRESS_CONTROLLER } from "../../../api/ingress.ts";
import { certificateProblem } from "../certificate.ts";
import { boundAddresses } from "../gateway_addresses.ts";
import {
  NONE,
  type Parameters,
  type ParametersProblem,
  readParameters,
} from "../gateway_parameters.ts";
import type { ListenerClaim } from "../listener_claim.ts";
import { objectKey, type SourceObject } from "../source_object.ts";
import type { View } from "../view.ts";

/** A class, whoever it belongs to. */
export type ClassObject = SourceObject<"IngressClass">;

/** Which class is used by Ingresses that name none. */
const DEFAULT = "ingressclass.kubernetes.io/is-default-class";
/** How Ingresses named their class before they had a field for it. */
const LEGACY = "kubernetes.io/ingress.class";

/** Whether a class is ours. */
export function isOurs({ body }: ClassObject): boolean {
  return body.spec?.controller === INGRESS_CONTROLLER;
}

/** Whether a class is used where none is named. */
export function isDefault({ body }: ClassObject): boolean {
  return body.metadata.annotations?.[DEFAULT] === "true";
}

/** The class that an Ingress names, "" for none. */
export function namedClass({ body }: SourceObject<"Ingress">): string {
  return body.spec?.ingressClassName ?? body.metadata.annotations?.[LEGACY] ?? "";
}

/** The class of ours that an Ingress belongs to; null where it is another controller's. */
export function classOf(ingress: SourceObject<"Ingress">, view: View): ClassObject | null {
  const name = namedClass(ingress);
  const [standard = null] = name === "" ? view.select("IngressClass", "default-class", "all") : [];
  const found = name === "" ? standard : view.get("IngressClass", "", name);
  return found !== null && isOurs(found) ? found : null;
}

/** The parameters of a class. */
export function parametersOf({ body }: ClassObject, view: View): Parameters | ParametersProblem {
  const ref = body.spec?.parameters;
  if (ref === undefined) return NONE;
  const { apiGroup = "", kind, name, namespace } = ref;
  return readParameters(
    { group: apiGroup, kind, name, ...(namespace === undefined ? {} : { namespace }) },
    view,
  );
}

/** Where the Ingresses of a class are served, by scheme. */
export function classPorts(found: ClassObject, view: View): Parameters["ingressPorts"] {
  const parameters = parametersOf(found, view);
  return "problem" in parameters ? NONE.ingressPorts : parameters.ingressPorts;
}

/** Key of a certificate that can be served, or why it cannot. */
export type ServedCertificate = { readonly key: string } | { readonly problem: string };

/** The certificate of a Secret. */
export function certificateIn(namespace: string, name: string, view: View): ServedCertificate {
  const secret = view.get("Secret", namespace, name);
  const problem = secret === null ? "not found" : certificateProblem(secret.body);
  if (problem !== null) return { problem: `Secret ${namespace}/${name}: ${problem}` };
  return { key: objectKey({ kind: "Secret", namespace, name }) };
}

/** The certificate for hosts of a class that have none of their own; null where the class names none. */
export function defaultCertificate(found: ClassObject, view: View): ServedCertificate | null {
  const parameters = parametersOf(found, view);
  const ref = "problem" in parameters ? null : parameters.defaultCertificate;
  return ref === null ? null : certificateIn(ref.namespace, ref.name, view);
}

/** A host and the wildcards that cover it. */
export function coveringNames(host: string): string[] {
  const names = [host];
  for (let dot = host.indexOf(".", 1); dot >= 0; dot = host.indexOf(".", dot + 1)) {
    names.push(`*${host.slice(dot)}`);
  }
  return names;
}

/** Whether some Ingress of a class has a certificate for a host. */
export function isCertified(host: string, found: ClassObject, view: View): boolean {
  return coveringNames(host).some((name) =>
    view.select("Ingress", "tls-host", name).some((ingress) =>
      classOf(ingress, view) === found &&
      (ingress.body.spec?.tls ?? []).some(({ hosts = [], secretName }) =>
        secretName !== undefined && hosts.some((one) => one.toLowerCase() === name) &&
        "key" in certificateIn(ingress.namespace, secretName, view)
      )
    )
  );
}

/** What a class takes of the ports, for all of its Ingresses. */
export function classClaims(found: ClassObject, view: View): ListenerClaim[] {
  const key = objectKey(found);
  const { http, https } = classPorts(found, view);
  return ([["http", http, "HTTP"], ["https", https, "HTTPS"]] as const).map(
    ([name, port, protocol]) => ({
      key: `${key}/${name}`,
      port,
      addresses: boundAddresses(key, [], view),
      protocol,
      hostnames: [""],
      proxyProtocol: "",
      gateway: key,
      rank: "",
    }),
  );
}
