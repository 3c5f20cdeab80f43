import { CONTROLLER_NAME } from "../../api/gateway_api.ts";
import { Conditions } from "./conditions.ts";
import type { Derived } from "./derived.ts";
import { classParameters } from "./gateway_parameters.ts";
import type { SourceObject } from "./source_object.ts";
import type { View } from "./view.ts";

/** Features of the Gateway API that are served, by the names of its conformance suite; sorted. */
const SUPPORTED_FEATURES = [
  "BackendTLSPolicy",
  "BackendTLSPolicySANValidation",
  "GRPCRoute",
  "GRPCRouteNamedRouteRule",
  "GRPCRouteRequestHeaderModifier",
  "Gateway",
  "GatewayAddressEmpty",
  "GatewayBackendClientCertificate",
  "GatewayFrontendClientCertificateValidation",
  "GatewayFrontendClientCertificateValidationInsecureFallback",
  "GatewayHTTPListenerIsolation",
  "GatewayHTTPSListenerDetectMisdirectedRequests",
  "GatewayPort8080",
  "GatewayStaticAddresses",
  "HTTPRoute",
  "HTTPRoute303RedirectStatusCode",
  "HTTPRoute307RedirectStatusCode",
  "HTTPRoute308RedirectStatusCode",
  "HTTPRouteBackendProtocolH2C",
  "HTTPRouteBackendProtocolWebSocket",
  "HTTPRouteBackendRequestHeaderModification",
  "HTTPRouteBackendTimeout",
  "HTTPRouteBackendURLRewrite",
  "HTTPRouteCORS",
  "HTTPRouteDestinationPortMatching",
  "HTTPRouteHostRewrite",
  "HTTPRouteMethodMatching",
  "HTTPRouteNamedRouteRule",
  "HTTPRouteParentRefPort",
  "HTTPRoutePathRedirect",
  "HTTPRoutePathRewrite",
  "HTTPRoutePortRedirect",
  "HTTPRouteQueryParamMatching",
  "HTTPRouteRequestMirror",
  "HTTPRouteRequestMultipleMirrors",
  "HTTPRouteRequestPercentageMirror",
  "HTTPRouteRequestTimeout",
  "HTTPRouteResponseHeaderModification",
  "HTTPRouteRetry",
  "HTTPRouteRetryBackendTimeout",
  "HTTPRouteRetryCodes",
  "HTTPRouteRetryConnectionError",
  "HTTPRouteSchemeRedirect",
  "ListenerSet",
  "ReferenceGrant",
];

/** Where definitions say of which release they are. */
const BUNDLE = "gateway.networking.k8s.io/bundle-version";
const VERSIONS = /^v1\.[67]\./;

/** Accepts a GatewayClass that names our controller; others are nobody's business here. */
export function deriveGatewayClass(object: SourceObject<"GatewayClass">, view: View): Derived {
  const { controllerName } = object.body.spec;
  if (controllerName !== CONTROLLER_NAME) {
    return { outcome: new Conditions().outcome(object), resources: [] };
  }
  const conditions = new Conditions().expect("Accepted");
  sayVersions(conditions, view);
  const parameters = classParameters(object, view);
  if ("problem" in parameters) conditions.fail("Accepted", "InvalidParameters", parameters.problem);
  const outcome = conditions.outcome(object);
  return { outcome: { ...outcome, supportedFeatures: SUPPORTED_FEATURES }, resources: [] };
}

/**
 * Says whether the Gateway API that the cluster has is one that is known. Another one is served as far as it is
 * understood; where nothing is known of it, nothing is said.
 */
function sayVersions(conditions: Conditions, view: View): void {
  const definitions = view.select("CustomResourceDefinition", "gateway-api-definition", "all");
  if (definitions.length === 0) return;
  conditions.expect("SupportedVersion");
  const others = definitions.flatMap(({ name, body }) => {
    const version = body.metadata.annotations?.[BUNDLE] ?? "";
    return VERSIONS.test(version) ? [] : [`${name} (${version || "no version"})`];
  });
  if (others.length === 0) return;
  conditions.fail(
    "SupportedVersion",
    "UnsupportedVersion",
    `known are v1.6 and v1.7 of the Gateway API; others: ${others.sort().join(", ")}`,
  );
}

/** Whether a class is ours and can be used. */
export function classServed(view: View, name: string): boolean {
  const found = view.get("GatewayClass", "", name);
  return found !== null && found.body.spec.controllerName === CONTROLLER_NAME &&
    !("problem" in classParameters(found, view));
}

/** Whether a class is ours at all. */
export function classOurs(view: View, name: string): boolean {
  return view.get("GatewayClass", "", name)?.body.spec.controllerName === CONTROLLER_NAME;
}
