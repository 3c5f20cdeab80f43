import { Buffer } from "node:buffer";
import { dirname, resolve } from "node:path";
import { parse, YAMLParseError } from "yaml";
import { valueProblem, yamlProblem } from "../yaml_problem.ts";

/** Where an API server is, and how it is told who asks. */
export interface ApiAccess {
  /** "https://host:port", without a path. */
  readonly server: string;
  /** Certificates of its authorities in PEM, "" for the system's. */
  readonly ca: string;
  /** Our certificate and key in PEM; null where a token says who we are. */
  readonly certificate: { readonly cert: string; readonly key: string } | null;
  /** The bearer token now, "" for none: projected tokens change on disk. */
  token(): string;
}

/** A kubeconfig, or the files of a pod, that give no access. */
export class AccessError extends Error {
  readonly code = "API_ACCESS";
}

/** Reads a text file. */
export type ReadText = (path: string) => string;

/** Where every pod finds its ServiceAccount. */
const ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount";

/**
 * The access that a pod has.
 * @param service host and port of the API server, as the kubelet puts them into the environment
 * @throws {AccessError} outside of a pod
 */
export function podAccess(service: { host: string; port: string }, read: ReadText): ApiAccess {
  const { host, port } = service;
  if (host === "") throw new AccessError("KUBERNETES_SERVICE_HOST is not set: this is no pod");
  const address = host.includes(":") ? `[${host}]` : host;
  return {
    server: `https://${address}:${port === "" ? "443" : port}`,
    ca: read(`${ACCOUNT}/ca.crt`),
    certificate: null,
    token: () => read(`${ACCOUNT}/token`).trim(),
  };
}

interface Named {
  readonly name?: string;
}

interface Kubeconfig {
  readonly "current-context"?: string;
  readonly contexts?: (Named & { context?: { cluster?: string; user?: string } })[];
  readonly clusters?: (Named & { cluster?: Record<string, unknown> })[];
  readonly users?: (Named & { user?: Record<string, unknown> })[];
}

/** Ways to log in that would need another program or an issuer. */
const UNSERVED = ["exec", "auth-provider", "username"];

/**
 * The access of a kubeconfig's current context: certificate or token.
 * @param path of the kubeconfig, to which paths in it are relative
 * @throws {AccessError} naming what is missing or not served
 */
export function kubeconfigAccess(path: string, read: ReadText): ApiAccess {
  const fail = (reason: string): never => {
    throw new AccessError(`${path}: ${reason}`);
  };
  const config = (parsed(read(path), fail) ?? {}) as Kubeconfig;
  const current = config["current-context"] ?? "";
  const context = config.contexts?.find(({ name }) => name === current)?.context ??
    fail(`there is no context "${current}"`);
  const cluster = config.clusters?.find(({ name }) => name === context.cluster)?.cluster ??
    fail(`there is no cluster "${context.cluster}"`);
  const user = config.users?.find(({ name }) => name === context.user)?.user ?? {};
  const unserved = UNSERVED.find((field) => field in user);
  if (unserved !== undefined) fail(`user ${context.user}: ${unserved} is not served`);
  if (cluster["insecure-skip-tls-verify"] === true) {
    fail("insecure-skip-tls-verify is not served: name the authority instead");
  }
  const file = (name: string) => resolve(dirname(path), name);
  const pem = (of: Record<string, unknown>, field: string): string => {
    const data = of[`${field}-data`];
    if (typeof data === "string") return Buffer.from(data, "base64").toString();
    return typeof of[field] === "string" ? read(file(of[field] as string)) : "";
  };
  const { server } = cluster;
  if (typeof server !== "string" || !URL.canParse(server)) return fail("the cluster has no server");
  const cert = pem(user, "client-certificate");
  const tokenFile = user.tokenFile;
  return {
    server: new URL(server).origin,
    ca: pem(cluster, "certificate-authority"),
    certificate: cert === "" ? null : { cert, key: pem(user, "client-key") },
    token: () =>
      typeof tokenFile === "string" ? read(file(tokenFile)).trim() : String(user.token ?? ""),
  };
}

/** Parses a kubeconfig. Errors do not quote it: it holds tokens and keys. */
function parsed(text: string, fail: (reason: string) => never): unknown {
  try {
    return parse(text);
  } catch (error) {
    if (!(error instanceof YAMLParseError)) return fail(valueProblem(error));
    return fail(`line ${error.linePos?.[0].line ?? 0}: ${yamlProblem(error)}`);
  }
}
