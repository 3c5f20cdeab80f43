import { isOwnCondition } from "../../../api/condition_types.ts";
import type { IngressBackend } from "../../../api/ingress.ts";
import type { ProxyBackend } from "../../../api/proxy_backend.ts";
import { Kind } from "../../../common/delta/resources.ts";
import {
  BackendRef,
  Policy,
  Route,
  type RouteRule,
} from "../../../proto/gen/novaedge/v1/config.ts";
import { deriveBackend } from "../backend.ts";
import { Conditions } from "../conditions.ts";
import type { Derived, DerivedResource } from "../derived.ts";
import { boundAddresses } from "../gateway_addresses.ts";
import { conflictsOf, portClaims } from "../listener_claims.ts";
import type { Outcome } from "../../../proto/gen/novaedge/v1/distribution.ts";
import { INGRESS_CONTROLLER } from "../../../api/ingress.ts";
import { policyMessage } from "../policy.ts";
import { OPEN_TYPES, restricts } from "../policy_targets.ts";
import type { PolicyObject } from "../policy_rule.ts";
import { translateRule } from "../route_rule.ts";
import type { RefSpec, RuleSpec } from "../rule_spec.ts";
import { secretValue } from "../secret_value.ts";
import { serviceBackend } from "../service.ts";
import { caseless } from "../../../common/caseless.ts";
import { hasVariables } from "../../../common/url_template.ts";
import { createdAt, objectKey, type SourceObject } from "../source_object.ts";
import { servicePort } from "../service_port.ts";
import type { View } from "../view.ts";
import { backendSpec } from "./backend_spec.ts";
import {
  certificateIn,
  classClaims,
  classOf,
  classPorts,
  defaultCertificate,
  isCertified,
  namedClass,
} from "./class_facts.ts";
import { canariesAt, type Place, splitRules } from "./canary.ts";
import type { SnippetEdits } from "./header_snippet.ts";
import { pathConflicts } from "./path_conflicts.ts";
import { type IngressSettings, nginxSize, settingsOf } from "./settings.ts";

type IngressObject = SourceObject<"Ingress">;
type Filter = NonNullable<RuleSpec["filters"]>[number];

/** Certificate authorities ask for this path in the clear, and show nothing (RFC 8555 section 8.3). */
const HOST = /^(?:\*\.)?(?:[a-z\d](?:[a-z\d-]{0,61}[a-z\d])?(?:\.(?!$)|$))*$/;
const ACME = "/.well-known/acme-challenge/";

/** Values of upstream-vhost that stand for the client's host, which backends see anyway. */
const CLIENTS_HOST = new Set(["$host", "$http_host", "$best_http_host"]);

/** Translates an Ingress of a class of ours. */
export function deriveIngress(ingress: IngressObject, view: View): Derived {
  const found = classOf(ingress, view);
  if (found === null) return { outcome: outcomeWithoutClass(ingress, view), resources: [] };
  const conditions = new Conditions().expect("Accepted").expect("ResolvedRefs");
  for (const conflict of conflictsOf(classClaims(found, view), portClaims(view), view)) {
    if (conflict === null) continue;
    const message = `IngressClass ${found.name} is not served: ${conflict.message}`;
    conditions.fail("Accepted", "ClassNotServed", message);
  }
  const settings = settingsOf(ingress);
  if (settings.closed !== "") conditions.fail("Accepted", "Unsupported", settings.closed);
  const translation = new IngressTranslation(ingress, found, settings, view, conditions);
  const resources = settings.canary === null ? translation.resources() : [];
  const conflicts = settings.closed === "" ? pathConflicts(ingress, view) : [];
  if (conflicts.length > 0) {
    conditions.note("Conflicted", "PathConflict", conflicts.join("; "));
  }
  // Values are read while the Ingress is translated.
  if (settings.ignored.length > 0) {
    conditions.note("UnsupportedField", "NotServedYet", [...new Set(settings.ignored)].join(", "));
  }
  const addresses = boundAddresses(objectKey(found), [], view).filter((text) => text !== "");
  return { outcome: { ...conditions.outcome(ingress), addresses }, resources };
}

/** In a folder an Ingress without a class of ours is served by nobody. */
function outcomeWithoutClass(ingress: IngressObject, view: View): Outcome {
  const conditions = new Conditions();
  if (!view.alone) return conditions.outcome(ingress);
  const name = namedClass(ingress);
  const other = name === "" ? null : view.get("IngressClass", "", name);
  const reason = name === ""
    ? "it has no ingressClassName, and no IngressClass is the default " +
      "(annotation ingressclass.kubernetes.io/is-default-class)"
    : other === null
    ? `IngressClass ${name}: not found`
    : `IngressClass ${name} is of ${other.body.spec?.controller}, not of ${INGRESS_CONTROLLER}`;
  conditions.expect("Accepted").fail("Accepted", "NoClass", reason);
  return conditions.outcome(ingress);
}

/** The translation of one Ingress. */
class IngressTranslation {
  readonly #ingress: IngressObject;
  readonly #class: SourceObject<"IngressClass">;
  readonly #settings: IngressSettings;
  readonly #view: View;
  readonly #conditions: Conditions;
  readonly #resources = new Map<string, DerivedResource>();
  /** Why references cannot be followed, by what stands for their names. */
  readonly #refused = new Map<string, string>();

  constructor(
    ingress: IngressObject,
    found: SourceObject<"IngressClass">,
    settings: IngressSettings,
    view: View,
    conditions: Conditions,
  ) {
    this.#ingress = ingress;
    this.#class = found;
    this.#settings = settings;
    this.#view = view;
    this.#conditions = conditions;
  }

  resources(): DerivedResource[] {
    const gateway = objectKey(this.#class);
    const policies = this.#policies();
    const secured = this.#securedHosts();
    for (const [index, { host, places }] of this.#hosts().entries()) {
      if (!HOST.test(host)) {
        this.#conditions.fail(
          "Accepted",
          "InvalidHost",
          `spec.rules[${index}].host: "${
            this.#ingress.body.spec!.rules![index].host
          }" is not a hostname (no scheme, no port, no path)`,
        );
        continue;
      }
      const rules = places.flatMap((place) => this.#rules(place, policies));
      const plain = this.#redirects(host, secured)
        ? rules.map((rule) => this.#redirected(rule))
        : rules;
      this.#route(`${index}`, host, [`${gateway}/http`], plain);
      this.#route(`${index}/tls`, host, [`${gateway}/https`], rules);
    }
    return [...this.#resources.values()];
  }

  /** Hosts with their paths, the default backend as a path of every host. */
  #hosts(): { host: string; places: Place[] }[] {
    const { rules = [], defaultBackend } = this.#ingress.body.spec ?? {};
    const hosts = rules.map(({ host = "", http }, index) => ({
      host: host.toLowerCase(),
      places: (http?.paths ?? []).map(({ path = "/", pathType, backend }, at): Place => ({
        label: `spec.rules[${index}].http.paths[${at}]`,
        host: host.toLowerCase(),
        path: path === "" ? "/" : path,
        type: pathType,
        backend,
      })),
    }));
    if (defaultBackend === undefined) return hosts;
    const place: Place = {
      label: "spec.defaultBackend",
      host: "",
      path: "/",
      type: "Prefix",
      backend: defaultBackend,
    };
    return [...hosts, { host: "", places: [place] }];
  }

  /** Hosts that are served by TLS: those for which there is a certificate. */
  #securedHosts(): Set<string> {
    const { namespace, body: { spec = {} } } = this.#ingress;
    const standard = defaultCertificate(this.#class, this.#view);
    const fallback = standard !== null && "key" in standard;
    const secured = new Set<string>();
    for (const [index, { hosts = [], secretName }] of (spec.tls ?? []).entries()) {
      const own = secretName === undefined
        ? null
        : certificateIn(namespace, secretName, this.#view);
      const names = hosts.map((host) => host.toLowerCase());
      const found = names.filter((host) => isCertified(host, this.#class, this.#view));
      const served = fallback || (own !== null && "key" in own) ||
        (names.length > 0 && found.length === names.length);
      for (const host of served ? names : found) secured.add(host);
      const otherwise = fallback
        ? "the class's default certificate is served instead"
        : "its hosts are served without TLS";
      if (own !== null && "problem" in own) {
        const problem = `spec.tls[${index}]: ${own.problem}; ${otherwise}`;
        this.#conditions.fail("ResolvedRefs", "InvalidCertificateRef", problem);
      } else if (!served) {
        this.#conditions.fail(
          "ResolvedRefs",
          "NoCertificate",
          `spec.tls[${index}] has no secretName, and the class no default certificate ` +
            `(spec.defaultCertificateRef of its GatewayParameters); ${otherwise}`,
        );
      }
    }
    return secured;
  }

  /** Whether plain requests for a host are sent to TLS. */
  #redirects(host: string, secured: ReadonlySet<string>): boolean {
    const { flag, closed } = this.#settings;
    if (closed !== "") return false;
    // What is asked for by word holds also where there is no certificate.
    if (flag("force-ssl-redirect") === true) return true;
    const { tls = [] } = this.#ingress.body.spec ?? {};
    const named = tls.some(({ hosts = [] }) => hosts.some((name) => name.toLowerCase() === host));
    if (named && flag("ssl-redirect") === true) return true;
    return secured.has(host) && flag("ssl-redirect") !== false;
  }

  #route(part: string, host: string, listeners: string[], rules: RouteRule[]): void {
    if (rules.length === 0) return;
    const { namespace, name } = this.#ingress;
    const message = Route.create({
      namespace,
      name,
      listeners,
      hostnames: host === "" ? [] : [host.replace(/^\*\./, "?.")],
      rules,
      regexBeforePrefix: true,
      created: createdAt(this.#ingress),
    });
    const key = `${objectKey(this.#ingress)}:${part}`;
    this.#put({ kind: Kind.KIND_ROUTE, name: key, body: Route.encode(message).finish() });
  }

  #put(resource: DerivedResource): void {
    this.#resources.set(`${resource.kind}|${resource.name}`, resource);
  }

  /** The policies of the annotations, by their names. */
  #policies(): string[] {
    const { namespace, name } = this.#ingress;
    return this.#settings.policies.map((spec, index) => {
      const targetRef = { kind: "ProxyRoute", name } as const;
      const object: PolicyObject = {
        kind: "ProxyPolicy",
        namespace,
        name,
        body: {
          apiVersion: "novaedge.io/v1alpha1",
          kind: "ProxyPolicy",
          metadata: { name, namespace },
          spec: { ...spec, targetRef },
        },
        origin: "",
        heldBecause: "",
      };
      const key = `${objectKey(this.#ingress)}:policy/${index}`;
      const { message, backend } = policyMessage(object, key, this.#view, this.#conditions);
      if (message.rule?.$case === "forwardAuth") {
        const signin = this.#settings.text("auth-signin") ?? "";
        message.rule.value.signin = signin;
        message.rule.value.signinVariables = hasVariables(signin);
      }
      if (backend !== undefined) this.#put({ kind: Kind.KIND_BACKEND, name: key, body: backend });
      this.#put({ kind: Kind.KIND_POLICY, name: key, body: Policy.encode(message).finish() });
      return key;
    });
  }

  /** The rules of a path, with those of the canaries that take a part of it. */
  #rules(place: Place, policies: readonly string[]): RouteRule[] {
    const { closed, text } = this.#settings;
    if (closed !== "") return [this.#rule(place, { filters: [answer(503)] }, [])];
    const exempt = place.path.startsWith(ACME);
    const own = exempt ? [] : policies;
    const root = text("app-root");
    const rules: RouteRule[] = [];
    if (root !== undefined && place.path === "/") {
      const at = { ...place, type: "Exact" as const };
      rules.push(this.#rule(at, redirect({ url: root, status: 302 }), own));
    }
    const elsewhere = exempt ? null : this.#elsewhere();
    if (elsewhere !== null) return [...rules, this.#rule(place, elsewhere, own)];
    const main = this.#reference(this.#ingress, this.#settings, place.backend);
    const canary = canariesAt(this.#ingress, place, this.#view);
    if (canary === null) {
      return [...rules, this.#rule(place, { ...this.#forward(place), backendRefs: [main] }, own)];
    }
    const settings = settingsOf(canary.ingress);
    const other = this.#reference(canary.ingress, settings, canary.backend);
    for (const part of splitRules(settings.canary!, main, other)) {
      rules.push(this.#rule(place, { ...this.#forward(place), ...part }, own));
    }
    return rules;
  }

  /** Where permanent-redirect and temporal-redirect send every request. */
  #elsewhere(): RuleSpec | null {
    const { text, number } = this.#settings;
    for (
      const [name, standard] of [["temporal-redirect", 302], ["permanent-redirect", 301]] as const
    ) {
      const url = text(name);
      if (url !== undefined) return redirect({ url, status: number(`${name}-code`) ?? standard });
    }
    return null;
  }

  /** The rule for clients of which no proxy says that they came by TLS. */
  #redirected(rule: RouteRule): RouteRule {
    if (rule.matches.every(({ path }) => path?.value.startsWith(ACME) === true)) return rule;
    const { https } = classPorts(this.#class, this.#view);
    return { ...rule, tlsRedirect: { port: https, status: 308 } };
  }

  /** The host that backends see; undefined for the client's. */
  #vhost(): string | undefined {
    const { text, ignored } = this.#settings;
    const hostname = text("upstream-vhost");
    if (hostname === undefined || CLIENTS_HOST.has(hostname)) return undefined;
    if (!hasVariables(hostname)) return hostname;
    ignored.push(`upstream-vhost: "${hostname}": variables other than $host are not served`);
    return undefined;
  }

  /** What is done to requests on their way to the backend. */
  #forward({ path }: Place): RuleSpec {
    const { text, number } = this.#settings;
    const filters: Filter[] = [];
    const hostname = this.#vhost();
    const target = text("rewrite-target");
    if (hostname !== undefined || target !== undefined) {
      const pattern = {
        type: "ReplaceRegularExpression" as const,
        pattern: caseless(`^${path}.*`),
      };
      filters.push({
        type: "URLRewrite",
        rewrite: {
          ...(hostname === undefined ? {} : { hostname }),
          ...(target === undefined ? {} : { path: { ...pattern, value: target } }),
        },
      });
    }
    filters.push(...snippetFilters(this.#settings.headers));
    const prefix = text("x-forwarded-prefix");
    if (prefix !== undefined && hasVariables(prefix)) {
      this.#settings.ignored.push(`x-forwarded-prefix: "${prefix}": variables are not served`);
    } else if (prefix !== undefined) {
      filters.push({ type: "SetHeader", set: [{ name: "X-Forwarded-Prefix", value: prefix }] });
    }
    const idle = Math.max(number("proxy-read-timeout") ?? 0, number("proxy-send-timeout") ?? 0);
    const size = text("proxy-body-size");
    const most = size === undefined ? 0 : nginxSize(size);
    if (most === null) {
      this.#conditions.fail(
        "Accepted",
        "InvalidAnnotation",
        `proxy-body-size: "${size}" is no size`,
      );
      return { filters: [answer(503)] };
    }
    return {
      filters,
      ...(most === 0 ? {} : { maxRequestBodySize: most }),
      ...(idle === 0 ? {} : { limits: { idleTimeout: `${idle}s` } }),
    };
  }

  #rule(place: Place, spec: RuleSpec, policies: readonly string[]): RouteRule {
    const regex = this.#settings.flag("use-regex") === true ||
      this.#settings.text("rewrite-target")?.includes("$") === true;
    const path = place.type === "Exact" ? { type: "Exact" as const, value: place.path } : regex
      // As in ingress-nginx, whose locations for them are those of ~*.
      ? { type: "RegularExpression" as const, value: caseless(`^${place.path}.*`) }
      : { type: "PathPrefix" as const, value: place.path };
    const given = spec.matches ?? [{}];
    const matches = given.map((match) => ({ ...match, path }));
    return translateRule({ ...spec, matches }, place.label, {
      conditions: this.#conditions,
      backendRef: ({ name, weight = 1 }) => {
        const invalidReason = this.#refused.get(name);
        return invalidReason === undefined
          ? BackendRef.create({ backend: name, weight })
          : BackendRef.create({ weight, invalidReason });
      },
      closedReason: "",
      policies,
      restricts: this.#restricts(place, policies),
      mayBeEmpty: true,
    });
  }

  /** Whether an annotation, or a policy of the Service, decides who may pass. */
  #restricts({ backend: { service } }: Place, policies: readonly string[]): boolean {
    const own = policies.length > 0 &&
      this.#settings.policies.some(({ type }) => !OPEN_TYPES.has(type));
    const { namespace } = this.#ingress;
    return own ||
      (service !== undefined &&
        restricts(this.#view, { kind: "Service", namespace, name: service.name }));
  }

  /** A reference to the Service of a path: its name is that of the backend resource, by a backend of the Ingress's own where annotations say how it is met. */
  #reference(of: IngressObject, settings: IngressSettings, backend: IngressBackend): RefSpec {
    const { namespace } = of;
    const { service } = backend;
    const name = service?.name ?? "";
    const refused = (reason: string, message: string): RefSpec => {
      this.#conditions.fail("ResolvedRefs", reason, message);
      this.#refused.set(message, reason);
      return { name: message };
    };
    if (service === undefined) return refused("InvalidKind", "only Services can be backends");
    const { name: portName, number } = service.port ?? {};
    const found = servicePort(
      this.#view.get("Service", namespace, name),
      number ?? portName,
      this.#view,
    );
    if ("reason" in found) {
      return refused(found.reason, `Service ${namespace}/${name}: ${found.message}`);
    }
    const { port } = found;
    const spec = backendSpec(settings, (secret) => {
      const found = this.#view.get("Secret", namespace, secret);
      return found === null || secretValue(found.body, "tls.crt") !== null;
    });
    const key = spec === null
      ? serviceBackend(found.service, port.port, false)
      : this.#ownBackend(of, { ...spec, serviceRef: { name, port: port.port } });
    return { name: key };
  }

  #ownBackend(of: IngressObject, spec: ProxyBackend["spec"]): string {
    const { namespace, name } = of;
    const key = `${objectKey(of)}:${spec.serviceRef!.name}:${spec.serviceRef!.port}`;
    const derived = deriveBackend({
      kind: "ProxyBackend",
      namespace,
      // Cookies are made from it.
      name: key.slice("Ingress/".length),
      body: {
        apiVersion: "novaedge.io/v1alpha1",
        kind: "ProxyBackend",
        metadata: { name, namespace },
        spec,
      },
      origin: "",
      heldBecause: "",
    }, this.#view);
    for (const { type, status, reason, message } of derived.outcome.conditions) {
      if (!status && isOwnCondition(type)) this.#conditions.fail(type, reason, message);
    }
    for (const { kind, body } of derived.resources) this.#put({ kind, name: key, body });
    return key;
  }
}

function snippetFilters(edits: SnippetEdits | null): Filter[] {
  if (edits === null) return [];
  const { requestSet, requestRemove, responseSet, responseAdd, responseRemove } = edits;
  const filters: Filter[] = [
    { type: "SetHeader", set: [...requestSet] },
    { type: "RemoveHeader", remove: [...requestRemove] },
    { type: "ResponseRemoveHeader", responseRemove: [...responseRemove] },
    { type: "ResponseSetHeader", responseSet: [...responseSet] },
    { type: "ResponseAddHeader", responseAdd: [...responseAdd] },
  ];
  // A filter that changes nothing is none.
  return filters.filter((filter) =>
    Object.values(filter).every((value) => !Array.isArray(value) || value.length > 0)
  );
}

function answer(statusCode: number): Filter {
  return { type: "DirectResponse", directResponse: { statusCode } };
}

/** A rule that sends every request elsewhere. */
function redirect({ url, status }: { url: string; status: number }): RuleSpec {
  const statusCode = ([301, 302, 303, 307, 308] as const).find((code) => code === status) ?? 302;
  if (hasVariables(url) || /^https?:\/\//.test(url)) {
    return {
      filters: [{ type: "RequestRedirect", redirectURL: url, redirect: { statusCode } }],
      redirectVariables: hasVariables(url),
    };
  }
  const path = { type: "ReplaceFullPath" as const, value: url };
  return { filters: [{ type: "RequestRedirect", redirect: { path, statusCode } }] };
}
