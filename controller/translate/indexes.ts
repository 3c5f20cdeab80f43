import { GATEWAY_API } from "../../api/gateway_api.ts";
import { PREFIX } from "./ingress/annotation_table.ts";
import { isDefault, isOurs, namedClass } from "./ingress/class_facts.ts";
import { claimedPaths } from "./ingress/path_conflicts.ts";
import { fullName, type SourceObject } from "./source_object.ts";

const SERVICE_LABEL = "kubernetes.io/service-name";

/** Key of the objects that a policy is attached to in the index of targets; null for none. */
function targetKey({ namespace, body: { spec } }: SourceObject<"ProxyPolicy">): string | null {
  const { targetRef } = spec;
  // Nobody closes or restricts what belongs to another namespace.
  if (targetRef.namespace !== undefined && targetRef.namespace !== namespace) return null;
  return `${targetRef.kind}/${namespace}/${targetRef.name}`;
}

/** Secrets a gateway's listeners name. */
export function secretsOf(gateway: SourceObject<"ProxyGateway">): string[] {
  const names = new Set<string>();
  for (const listener of gateway.body.spec.listeners) {
    const configs = [listener.tls, ...Object.values(listener.tlsCertificates ?? {})];
    for (const config of configs) {
      if (config?.secretRef === undefined) continue;
      const { namespace = gateway.namespace, name } = config.secretRef;
      names.add(`${namespace}/${name}`);
    }
    const { caCertRef, mode } = listener.clientAuth ?? {};
    if (caCertRef !== undefined && mode !== "none") {
      names.add(`${caCertRef.namespace ?? gateway.namespace}/${caCertRef.name}`);
    }
  }
  return [...names];
}

/** Secrets a backend's TLS names; they are in its own namespace. */
export function secretsOfBackend({ namespace, body }: SourceObject<"ProxyBackend">): string[] {
  const { caCertSecretRef, clientCertSecretRef } = body.spec.tls ?? {};
  return [caCertSecretRef, clientCertSecretRef].filter((name) => name !== undefined).map((name) =>
    `${namespace}/${name}`
  );
}

/** Services that a route of the Gateway API names, for requests and for copies of them. */
function servicesOf({ namespace, body }: SourceObject<"HTTPRoute" | "GRPCRoute">): Set<string> {
  const services = new Set<string>();
  for (const { backendRefs = [], filters = [] } of body.spec.rules ?? []) {
    const mirrors = filters.flatMap(({ requestMirror }) =>
      requestMirror === undefined ? [] : [requestMirror.backendRef]
    );
    for (const ref of [...backendRefs, ...mirrors]) {
      if ((ref.kind ?? "Service") !== "Service" || (ref.group ?? "") !== "") continue;
      services.add(`${ref.namespace ?? namespace}/${ref.name}`);
    }
  }
  return services;
}

/** Ports and certificates of listeners of the Gateway API. */
function addListeners(
  keys: Set<string>,
  owner: SourceObject<"Gateway"> | SourceObject<"ListenerSet">,
): void {
  for (const { port, tls } of owner.body.spec.listeners) {
    keys.add(`gateway-port:${port}`);
    for (const { namespace = owner.namespace, name } of tls?.certificateRefs ?? []) {
      keys.add(`gateway-secret:${namespace}/${name}`);
    }
  }
}

function addIngress(keys: Set<string>, ingress: SourceObject<"Ingress">): void {
  const { namespace, body: { spec = {}, metadata } } = ingress;
  keys.add(`ingress-class:${namedClass(ingress)}`);
  for (const { key } of claimedPaths(ingress)) keys.add(`ingress-path:${key}`);
  const canary = metadata.annotations?.[`${PREFIX}canary`] === "true";
  const paths = (spec.rules ?? []).flatMap(({ http }) => http?.paths ?? []);
  for (const { host = "" } of spec.rules ?? []) {
    if (canary) keys.add(`canary:${namespace}/${host.toLowerCase()}`);
  }
  for (const backend of [spec.defaultBackend, ...paths.map((path) => path.backend)]) {
    const name = backend?.service?.name;
    if (name !== undefined) keys.add(`route-service:${namespace}/${name}`);
  }
  const shown = metadata.annotations?.[`${PREFIX}proxy-ssl-secret`]?.split("/").at(-1);
  if (shown !== undefined) keys.add(`backend-secret:${namespace}/${shown}`);
  for (const { secretName, hosts = [] } of spec.tls ?? []) {
    if (secretName === undefined) continue;
    keys.add(`gateway-secret:${namespace}/${secretName}`);
    for (const host of hosts) keys.add(`tls-host:${host.toLowerCase()}`);
  }
}

/** Index entries an object belongs to. */
export function indexKeysOf(object: SourceObject): Set<string> {
  const keys = new Set([`namespace:${object.kind}/${object.namespace}`]);
  if (object.kind === "ProxyGateway") {
    const gateway = object as SourceObject<"ProxyGateway">;
    for (const { port } of gateway.body.spec.listeners) keys.add(`gateway-port:${port}`);
    for (const secret of secretsOf(gateway)) keys.add(`gateway-secret:${secret}`);
  } else if (object.kind === "Gateway") {
    const gateway = object as SourceObject<"Gateway">;
    addListeners(keys, gateway);
    const { backend, frontend } = gateway.body.spec.tls ?? {};
    const validations = [frontend?.default, ...(frontend?.perPort ?? []).map(({ tls }) => tls)];
    const refs = validations.flatMap((entry) => entry?.validation?.caCertificateRefs ?? []);
    const own = backend?.clientCertificateRef;
    if (own !== undefined) keys.add("client-certificate:all");
    for (const ref of own === undefined ? refs : [...refs, own]) {
      const { kind = "Secret", namespace = gateway.namespace, name } = ref;
      keys.add(
        `${kind === "ConfigMap" ? "config-map-user" : "gateway-secret"}:${namespace}/${name}`,
      );
    }
  } else if (object.kind === "ListenerSet") {
    const set = object as SourceObject<"ListenerSet">;
    addListeners(keys, set);
    const { namespace = set.namespace, name } = set.body.spec.parentRef;
    keys.add(`listener-set:${namespace}/${name}`);
  } else if (object.kind === "BackendTLSPolicy") {
    const policy = object as SourceObject<"BackendTLSPolicy">;
    const { targetRefs, validation } = policy.body.spec;
    for (const { name } of targetRefs) keys.add(`tls-policy:${policy.namespace}/${name}`);
    for (const { kind, name } of validation.caCertificateRefs ?? []) {
      if (kind === "ConfigMap") keys.add(`config-map-user:${policy.namespace}/${name}`);
    }
  } else if (object.kind === "HTTPRoute" || object.kind === "GRPCRoute") {
    for (const service of servicesOf(object as SourceObject<"HTTPRoute" | "GRPCRoute">)) {
      keys.add(`route-service:${service}`);
    }
  } else if (object.kind === "ProxyBackend") {
    for (const secret of secretsOfBackend(object as SourceObject<"ProxyBackend">)) {
      keys.add(`backend-secret:${secret}`);
    }
  } else if (object.kind === "ProxyPolicy") {
    const policy = object as SourceObject<"ProxyPolicy">;
    const target = targetKey(policy);
    if (target !== null) keys.add(`policy-target:${target}`);
    const secret = policy.body.spec.forwardAuth?.tls?.caCertSecretRef;
    if (secret !== undefined) keys.add(`policy-secret:${policy.namespace}/${secret}`);
  } else if (object.kind === "Ingress") {
    addIngress(keys, object as SourceObject<"Ingress">);
  } else if (object.kind === "GatewayParameters") {
    const { namespace, body } = object as SourceObject<"GatewayParameters">;
    const { defaultCertificateRef: ref } = body.spec;
    if (ref !== undefined) keys.add(`default-certificate:${namespace}/${ref.name}`);
  } else if (object.kind === "IngressClass") {
    const found = object as SourceObject<"IngressClass">;
    if (isOurs(found)) keys.add("ingress-controller:ours");
    if (isDefault(found)) keys.add("default-class:all");
  } else if (object.kind === "CustomResourceDefinition") {
    if (object.name.endsWith(`.${GATEWAY_API}`)) keys.add("gateway-api-definition:all");
  } else if (object.kind === "EndpointSlice") {
    const service = object.body.metadata.labels?.[SERVICE_LABEL];
    if (service !== undefined) {
      keys.add(`slice-service:${fullName({ namespace: object.namespace, name: service })}`);
    }
  }
  return keys;
}
