/** What a template may take from a request. */
export interface TemplateValues {
  readonly scheme: string;
  /** As the client wrote it, with its port if it wrote one. */
  readonly host: string;
  readonly method: string;
  /** Canonical path. */
  readonly path: string;
  /** Without "?", "" for none. */
  readonly query: string;
}

/** A URL that is made anew for each request. */
export type UrlTemplate = (values: TemplateValues) => string;

const uri = ({ path, query }: TemplateValues) => query === "" ? path : `${path}?${query}`;
const name = ({ host }: TemplateValues) => host.replace(/:\d+$/, "").toLowerCase();

/** The variables that are known, as nginx and ingress-nginx name them. */
const VARIABLES: Readonly<Record<string, UrlTemplate>> = {
  host: name,
  http_host: ({ host }) => host,
  best_http_host: ({ host }) => host,
  scheme: ({ scheme }) => scheme,
  pass_access_scheme: ({ scheme }) => scheme,
  request_method: ({ method }) => method,
  request_uri: uri,
  escaped_request_uri: (values) => encodeURIComponent(uri(values)),
  uri: ({ path }) => path,
  args: ({ query }) => query,
  query_string: ({ query }) => query,
  is_args: ({ query }) => query === "" ? "" : "?",
};

const VARIABLE = /\$(?:(\w+)|\{(\w+)\})/g;

/** Whether a text has variables. */
export function hasVariables(text: string): boolean {
  return text.includes("$");
}

/** Why a text is no template, "" when it is one: a variable that is not known, or a $ that begins none. */
export function templateProblem(text: string): string {
  for (const [whole, plain, braced] of text.matchAll(VARIABLE)) {
    if (!Object.hasOwn(VARIABLES, plain ?? braced)) return `the variable ${whole} is not served`;
  }
  return text.replace(VARIABLE, "").includes("$") ? "a $ begins no variable" : "";
}

/** Compiles a text of which `templateProblem` says nothing. */
export function urlTemplate(text: string): UrlTemplate {
  return (values) =>
    text.replace(VARIABLE, (_whole, plain, braced) => VARIABLES[plain ?? braced](values));
}
