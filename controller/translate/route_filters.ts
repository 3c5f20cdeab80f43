import type { ProxyRouteRule } from "../../api/proxy_route.ts";
import type { RefSpec, RuleSpec } from "./rule_spec.ts";
import {
  DirectResponse,
  PathModifier,
  PathModifierType,
  RequestRedirect,
  RuleFilters,
  UrlRewrite,
} from "../../proto/gen/novaedge/v1/config.ts";
import { linearProblem } from "../../common/linear.ts";
import { FieldChanges } from "./field_changes.ts";

type Filter = NonNullable<ProxyRouteRule["filters"]>[number];
type Modifier = NonNullable<NonNullable<Filter["rewrite"]>["path"]>;

/** Where copies of requests are to go. */
export interface MirrorTo {
  readonly ref: RefSpec;
  readonly percent: number;
  /** Whether copies have what proves who the client is. */
  readonly credentials: boolean;
}

/** Filters of a rule as the dataplane gets them, and why they cannot be as asked. */
export interface TranslatedFilters {
  readonly filters: RuleFilters | undefined;
  /** With its place; "" when all is well. */
  readonly problem: string;
  /** Where copies are to go; still to be added to `filters`. */
  readonly mirrors: readonly MirrorTo[];
  /** Whether the rule answers every request itself. */
  readonly answers: boolean;
}

const MODIFIERS: Readonly<Record<Modifier["type"], PathModifierType>> = {
  ReplaceFullPath: PathModifierType.PATH_MODIFIER_TYPE_FULL,
  ReplacePrefixMatch: PathModifierType.PATH_MODIFIER_TYPE_PREFIX,
  ReplaceRegularExpression: PathModifierType.PATH_MODIFIER_TYPE_REGEX,
};

/** What one filter does to what the filters before it have left. */
interface Building {
  readonly request: FieldChanges;
  readonly response: FieldChanges;
  redirect: RequestRedirect | undefined;
  rewrite: UrlRewrite | undefined;
  answer: DirectResponse | undefined;
  readonly mirrors: MirrorTo[];
  readonly listenerPort: boolean;
  readonly variables: boolean;
}

/** Translates the filters of one rule; those that are not served yet are left to the unserved fields. */
export function translateFilters(rule: RuleSpec, place: string): TranslatedFilters {
  const building: Building = {
    request: new FieldChanges(),
    response: new FieldChanges(),
    redirect: undefined,
    rewrite: undefined,
    answer: undefined,
    mirrors: [],
    listenerPort: rule.redirectsToListenerPort === true,
    variables: rule.redirectVariables === true,
  };
  const { mirror } = rule;
  if (mirror !== undefined) {
    const { backendRef: ref, percentage: percent = 100, credentials = true } = mirror;
    building.mirrors.push({ ref, percent, credentials });
  }
  let problem = "";
  for (const [i, filter] of (rule.filters ?? []).entries()) {
    const reason = addFilter(filter, building) || building.request.problem ||
      building.response.problem;
    if (reason !== "" && problem === "") problem = `${place}.filters[${i}]: ${reason}`;
  }
  const { request, response, redirect, rewrite, answer, mirrors } = building;
  const prefixed = replacesPrefix(redirect) || replacesPrefix(rewrite);
  if (prefixed && !matchesPrefixes(rule)) {
    problem ||= `${place}.filters: ReplacePrefixMatch needs matches of type PathPrefix`;
  }
  if (redirect !== undefined && (rewrite !== undefined || answer !== undefined)) {
    problem ||= `${place}.filters: RequestRedirect excludes URLRewrite and DirectResponse`;
  }
  const message = RuleFilters.create({
    requestFields: request.message(),
    responseFields: response.message(),
    redirect,
    rewrite,
    directResponse: answer,
  });
  const empty = mirrors.length === 0 &&
    [message.requestFields, message.responseFields, redirect, rewrite, answer].every((part) =>
      part === undefined
    );
  return {
    filters: empty ? undefined : message,
    mirrors,
    problem,
    answers: redirect !== undefined || answer !== undefined,
  };
}

/** Whether what the rule matched is replaced, which must be a prefix then. */
export function replacesPrefix(change: Pick<UrlRewrite, "path"> | undefined): boolean {
  return change?.path?.type === PathModifierType.PATH_MODIFIER_TYPE_PREFIX;
}

/** Whether all that a rule matches are prefixes. */
export function matchesPrefixes({ matches }: RuleSpec): boolean {
  return (matches ?? []).every(({ path }: NonNullable<typeof matches>[number]) =>
    path === undefined || path.type === "PathPrefix"
  );
}

/** The fields that each type of filter reads, but for those that the schema sets. */
const FIELDS_OF: Readonly<Record<Filter["type"], readonly (keyof Filter)[]>> = {
  AddHeader: ["add"],
  SetHeader: ["set"],
  RemoveHeader: ["remove"],
  ResponseAddHeader: ["responseAdd"],
  ResponseSetHeader: ["responseSet"],
  ResponseRemoveHeader: ["responseRemove"],
  RequestRedirect: ["redirectURL", "redirect"],
  URLRewrite: ["rewritePath", "rewrite"],
  DirectResponse: ["directResponse"],
  RequestMirror: ["mirrorBackend"],
};
const FILTER_FIELDS = Object.values(FIELDS_OF).flat();

/** Adds one filter; returns why it cannot be, "" when it can. */
function addFilter(filter: Filter, building: Building): string {
  const { request, response } = building;
  const foreign = FILTER_FIELDS.find((field) =>
    filter[field] !== undefined && !FIELDS_OF[filter.type].includes(field)
  );
  if (foreign !== undefined) return `${foreign} does not belong to type ${filter.type}`;
  switch (filter.type) {
    case "AddHeader":
      request.add(filter.add ?? []);
      return filter.add === undefined ? "add is missing" : "";
    case "SetHeader":
      request.set(filter.set ?? []);
      return filter.set === undefined ? "set is missing" : "";
    case "RemoveHeader":
      request.remove(filter.remove ?? []);
      return filter.remove === undefined ? "remove is missing" : "";
    case "ResponseAddHeader":
      response.add(filter.responseAdd ?? []);
      return filter.responseAdd === undefined ? "responseAdd is missing" : "";
    case "ResponseSetHeader":
      response.set(filter.responseSet ?? []);
      return filter.responseSet === undefined ? "responseSet is missing" : "";
    case "ResponseRemoveHeader":
      response.remove(filter.responseRemove ?? []);
      return filter.responseRemove === undefined ? "responseRemove is missing" : "";
    case "RequestRedirect":
      return addRedirect(filter, building);
    case "URLRewrite":
      return addRewrite(filter, building);
    case "DirectResponse":
      return addAnswer(filter, building);
    case "RequestMirror":
      if (filter.mirrorBackend === undefined) return "mirrorBackend is missing";
      building.mirrors.push({
        ref: filter.mirrorBackend,
        percent: filter.mirrorPercent ?? 100,
        credentials: filter.mirrorCredentials ?? true,
      });
      return "";
  }
}

function addRedirect({ redirectURL, redirect }: Filter, building: Building): string {
  if (building.redirect !== undefined) return "a rule has one RequestRedirect at most";
  if (redirectURL === undefined && redirect === undefined) {
    return "redirectURL or redirect is missing";
  }
  const { scheme = "", hostname = "", port = 0, path, statusCode = 302 } = redirect ?? {};
  building.redirect = RequestRedirect.create({
    url: redirectURL ?? "",
    variables: building.variables,
    scheme,
    hostname,
    port,
    path: modifier(path),
    status: statusCode,
    listenerPort: building.listenerPort,
  });
  if (
    redirectURL !== undefined && !building.variables &&
    !/^(https?:\/\/|\/)[\x21-\x7e]*$/.test(redirectURL)
  ) {
    return "redirectURL must be an absolute http or https URL, or a path";
  }
  return modifierProblem(path) || hostProblem(hostname);
}

function addRewrite(filter: Filter, building: Building): string {
  if (building.rewrite !== undefined) return "a rule has one URLRewrite at most";
  const { rewrite, problem } = rewriteOf(filter);
  building.rewrite = rewrite;
  return problem;
}

/** How host and path are changed, and why they cannot be ("" when they can). */
export function rewriteOf(
  { rewritePath, rewrite }: Filter,
): { readonly rewrite: UrlRewrite; readonly problem: string } {
  const { hostname = "", path } = rewrite ?? {};
  const full: Modifier | undefined = rewritePath === undefined
    ? path
    : { type: "ReplaceFullPath", value: rewritePath };
  const problem = rewritePath === undefined && rewrite === undefined
    ? "rewritePath or rewrite is missing"
    : modifierProblem(full) || hostProblem(hostname);
  return { rewrite: UrlRewrite.create({ hostname, path: modifier(full) }), problem };
}

function addAnswer({ directResponse }: Filter, building: Building): string {
  if (building.answer !== undefined) return "a rule has one DirectResponse at most";
  if (directResponse === undefined) return "directResponse is missing";
  const { statusCode, contentType = "", body = "" } = directResponse;
  building.answer = DirectResponse.create({ status: statusCode, contentType, body });
  const contentless = statusCode === 204 || statusCode === 205 || statusCode === 304;
  if (contentless && body !== "") return `an answer with status ${statusCode} has no body`;
  return /^[\x20-\x7e]*$/.test(contentType)
    ? ""
    : "contentType has characters that no field may have";
}

function modifier(path: Modifier | undefined): PathModifier | undefined {
  if (path === undefined) return undefined;
  const { type, value, pattern = "" } = path;
  return PathModifier.create({ type: MODIFIERS[type], value, pattern });
}

function modifierProblem(path: Modifier | undefined): string {
  if (path === undefined) return "";
  const { type, value, pattern } = path;
  if (!/^[\x21\x22\x24-\x3e\x40-\x5b\x5d-\x7e]*$/.test(value)) {
    return `"${value}" cannot stand in a path (no space, ?, # or \\)`;
  }
  if (type === "ReplaceRegularExpression") {
    return pattern === undefined ? "pattern is missing" : linearProblem(pattern, "pattern");
  }
  return value === "" || value.startsWith("/") ? "" : "a path must begin with /";
}

function hostProblem(hostname: string): string {
  return /^[A-Za-z0-9.:[\]-]*$/.test(hostname) ? "" : `"${hostname}" is not a hostname`;
}
