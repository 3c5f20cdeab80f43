import type { GatewayFilter, GrpcRoute, HttpRouteRule } from "../../api/gateway_api_routes.ts";
import type { ProxyRouteRule } from "../../api/proxy_route.ts";
import { Cors, RetryPolicy } from "../../proto/gen/novaedge/v1/config.ts";
import { backoff, SAFE_METHODS } from "./retry.ts";
import { corsProblem } from "./policy_rules.ts";
import type { RuleSpec } from "./rule_spec.ts";

type Filters = NonNullable<ProxyRouteRule["filters"]>;
type GrpcRule = NonNullable<GrpcRoute["spec"]["rules"]>[number];
type Matches = NonNullable<ProxyRouteRule["matches"]>;

/** A rule of the Gateway API in the form of our own kind. */
export interface GatewayRule {
  readonly rule: RuleSpec;
  readonly retry: RetryPolicy | undefined;
  readonly cors: Cors | undefined;
  /** What of the rule cannot be served, "" for nothing. */
  readonly problem: string;
  /** Fields that have no effect. */
  readonly ignored: readonly string[];
}

/** Brings a rule of an HTTPRoute into the form of our own kind. */
export function httpRule(rule: HttpRouteRule): GatewayRule {
  const { filters, cors, problem } = filtersOf(rule.filters ?? []);
  const { request, backendRequest } = rule.timeouts ?? {};
  return {
    rule: {
      matches: (rule.matches ?? []).map(({ path, method, headers, queryParams }) => ({
        path: { type: path?.type ?? "PathPrefix", value: path?.value ?? "/" },
        ...(method === undefined ? {} : { method }),
        ...(headers === undefined ? {} : { headers: unique(headers, true) }),
        ...(queryParams === undefined ? {} : { queryParams: unique(queryParams, false) }),
      })) as Matches,
      filters,
      redirectsToListenerPort: true,
      backendRefs: rule.backendRefs ?? [],
      ...(request === undefined ? {} : { timeout: request }),
      ...(backendRequest === undefined ? {} : { backendTimeout: backendRequest }),
    } as RuleSpec,
    retry: retryOf(rule),
    cors,
    problem,
    ignored: rule.sessionPersistence === undefined ? [] : ["sessionPersistence"],
  };
}

/** Brings a rule of a GRPCRoute into the form of our own kind: a method is a path. */
export function grpcRule(rule: GrpcRule): GatewayRule {
  const { filters, cors, problem } = filtersOf(rule.filters ?? [], GRPC_FILTERS);
  const given: GrpcRule["matches"] = rule.matches ?? [];
  const matches = given.length === 0 ? [{}] : given;
  return {
    rule: {
      matches: matches.map(({ method, headers }) => ({
        path: methodPath(method),
        ...(headers === undefined ? {} : { headers: unique(headers, true) }),
      })) as Matches,
      filters,
      backendRefs: rule.backendRefs ?? [],
    } as RuleSpec,
    retry: undefined,
    cors,
    problem,
    ignored: rule.sessionPersistence === undefined ? [] : ["sessionPersistence"],
  };
}

type MethodMatch = NonNullable<NonNullable<GrpcRule["matches"]>[number]["method"]>;

/**
 * The path of a method. What says nothing of the service is a pattern, and so is what says nothing at
 * all: patterns come behind services, the longer ones first, as the API ranks them.
 */
function methodPath(match: MethodMatch | undefined): { type: string; value: string } {
  const { type = "Exact", service, method } = match ?? {};
  if (service === undefined && method === undefined) {
    return { type: "RegularExpression", value: "/.*" };
  }
  if (type === "Exact" && service !== undefined && method !== undefined) {
    return { type: "Exact", value: `/${service}/${method}` };
  }
  if (type === "Exact" && service !== undefined) {
    return { type: "PathPrefix", value: `/${service}` };
  }
  const part = (text: string | undefined) =>
    text === undefined ? "[^/]+" : type === "Exact" ? escaped(text) : `(?:${text})`;
  return { type: "RegularExpression", value: `/${part(service)}/${part(method)}` };
}

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\/-]/g, "\\$&");
}

/** Of several conditions on one name the first counts. */
function unique<T extends { readonly name: string }>(
  conditions: readonly T[],
  anyCase: boolean,
): T[] {
  const seen = new Set<string>();
  return conditions.filter(({ name }) => {
    const key = anyCase ? name.toLowerCase() : name;
    const first = !seen.has(key);
    seen.add(key);
    return first;
  });
}

function retryOf({ retry }: HttpRouteRule): RetryPolicy | undefined {
  if (retry === undefined) return undefined;
  return RetryPolicy.create({
    attempts: retry.attempts ?? 1,
    codes: (retry.codes ?? []).map((code) => ({ first: code, last: code })),
    // Connections that break are tried again where that is safe: nothing was sent, the backend says that it
    // processed nothing, or the method changes nothing. Codes are the owner's word.
    connectFailure: true,
    refusedStream: true,
    reset: true,
    methods: [...SAFE_METHODS],
    codesForAnyMethod: true,
    ...backoff(retry.backoff),
    // The owner's number of attempts is the only limit that the API knows.
    budget: retry.attempts ?? 1,
  });
}

/** Types of filters that the rules of a GRPCRoute may have. */
export const GRPC_FILTERS: readonly string[] = [
  "RequestHeaderModifier",
  "ResponseHeaderModifier",
  "RequestMirror",
];
const FILTERS = [...GRPC_FILTERS, "RequestRedirect", "URLRewrite", "CORS"];

interface TranslatedFilters {
  readonly filters: Filters;
  readonly cors: Cors | undefined;
  readonly problem: string;
}

/** Filters as our own kind has them; the first that cannot be is the problem. */
export function filtersOf(
  given: readonly GatewayFilter[],
  allowed: readonly string[] = FILTERS,
): TranslatedFilters {
  const filters: Record<string, unknown>[] = [];
  let cors: Cors | undefined;
  let problem = "";
  for (const [i, filter] of given.entries()) {
    const missing = (field: string) => problem ||= `filters[${i}].${field} is missing`;
    if (!allowed.includes(filter.type)) {
      problem ||= `filters[${i}]: type ${filter.type} is not served`;
      continue;
    }
    problem ||= foreignField(filter, i);
    switch (filter.type) {
      case "RequestHeaderModifier": {
        if (filter.requestHeaderModifier === undefined) missing("requestHeaderModifier");
        const { set, add, remove } = filter.requestHeaderModifier ?? {};
        if (set !== undefined) filters.push({ type: "SetHeader", set });
        if (add !== undefined) filters.push({ type: "AddHeader", add });
        if (remove !== undefined) filters.push({ type: "RemoveHeader", remove });
        break;
      }
      case "ResponseHeaderModifier": {
        if (filter.responseHeaderModifier === undefined) missing("responseHeaderModifier");
        const { set, add, remove } = filter.responseHeaderModifier ?? {};
        if (set !== undefined) filters.push({ type: "ResponseSetHeader", responseSet: set });
        if (add !== undefined) filters.push({ type: "ResponseAddHeader", responseAdd: add });
        if (remove !== undefined) {
          filters.push({ type: "ResponseRemoveHeader", responseRemove: remove });
        }
        break;
      }
      case "RequestRedirect": {
        const { requestRedirect: redirect } = filter;
        if (redirect === undefined) missing("requestRedirect");
        else if (lacksPath(redirect)) missing(`requestRedirect.path.${pathField(redirect)}`);
        else {filters.push({
            type: filter.type,
            redirect: { ...redirect, path: modifier(redirect) },
          });}
        break;
      }
      case "URLRewrite": {
        const { urlRewrite: rewrite } = filter;
        if (rewrite === undefined) missing("urlRewrite");
        else if (lacksPath(rewrite)) missing(`urlRewrite.path.${pathField(rewrite)}`);
        else filters.push({ type: filter.type, rewrite: { ...rewrite, path: modifier(rewrite) } });
        break;
      }
      case "RequestMirror": {
        const { requestMirror } = filter;
        if (requestMirror === undefined) {
          missing("requestMirror");
          break;
        }
        const { backendRef, percent, fraction } = requestMirror;
        const share = fraction === undefined
          ? percent ?? 100
          : Math.min(100, fraction.numerator / (fraction.denominator ?? 100) * 100);
        filters.push({ type: filter.type, mirrorBackend: backendRef, mirrorPercent: share });
        break;
      }
      case "CORS":
        if (filter.cors === undefined) missing("cors");
        else {
          const asked = corsOf(filter.cors);
          const { origins, methods, headers, expose } = asked;
          const bad = corsProblem(origins, [...methods, ...headers, ...expose]);
          if (bad === "") cors = asked;
          else problem ||= `filters[${i}].cors: ${bad}`;
        }
    }
  }
  return { filters: filters as Filters, cors, problem };
}

/** The field of each type of filter; of all of them a filter has that of its own type only. */
const FIELD_OF: Readonly<Record<string, keyof GatewayFilter>> = {
  RequestHeaderModifier: "requestHeaderModifier",
  ResponseHeaderModifier: "responseHeaderModifier",
  RequestMirror: "requestMirror",
  RequestRedirect: "requestRedirect",
  URLRewrite: "urlRewrite",
  CORS: "cors",
};

/** Returns what is wrong with a filter that has the field of another type; "" for nothing. */
function foreignField(filter: GatewayFilter, index: number): string {
  const field = Object.values(FIELD_OF).find((field) =>
    filter[field] !== undefined && field !== FIELD_OF[filter.type]
  );
  return field === undefined
    ? ""
    : `filters[${index}].${field} does not belong to a filter of type ${filter.type}`;
}

interface WithPath {
  readonly path?: {
    readonly type: string;
    readonly replaceFullPath?: string;
    readonly replacePrefixMatch?: string;
  };
}

/** Name of the field that the type of a path modifier asks for. */
function pathField({ path }: WithPath): "replaceFullPath" | "replacePrefixMatch" {
  return path?.type === "ReplaceFullPath" ? "replaceFullPath" : "replacePrefixMatch";
}

function lacksPath(filter: WithPath): boolean {
  return filter.path !== undefined && filter.path[pathField(filter)] === undefined;
}

function modifier(filter: WithPath): unknown {
  const { path } = filter;
  return path && { type: path.type, value: path[pathField(filter)] };
}

function corsOf(cors: NonNullable<GatewayFilter["cors"]>): Cors {
  return Cors.create({
    origins: (cors.allowOrigins ?? []).map((origin) => origin.toLowerCase()),
    methods: cors.allowMethods ?? [],
    headers: cors.allowHeaders ?? [],
    expose: cors.exposeHeaders ?? [],
    credentials: cors.allowCredentials === true,
    maxAge: cors.maxAge ?? 5,
  });
}
