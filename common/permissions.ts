/**
 * What each program may do, in one table: standalone gives these to its workers, and a test compares
 * them with the flags in deno.json. Everything not named is denied.
 */

import { dirname } from "node:path";

/** Variables that grpc-js, its dependencies and the runtime's Node layer read when they load. */
export const ENV = [
  "NOVAEDGE_*",
  "GRPC_*",
  "NODE_*",
  "NO_COLOR",
  "FORCE_COLOR",
  "COLORTERM",
  "TERM",
  "grpc_proxy",
  "http_proxy",
  "https_proxy",
  "no_grpc_proxy",
  "no_proxy",
];

/** Variables that the YAML library reads when it parses. */
const YAML_ENV = ["LOG_STREAM", "LOG_TOKENS"];

/** pino asks for the host name when it loads; the agent names its node by it. */
export const SYS: ("hostname")[] = ["hostname"];

/** What a dataplane on the native transport reads besides: where packages are kept, for what it confines itself to. */
const NATIVE_ENV = ["DENO_DIR", "HOME", "XDG_CACHE_HOME"];

/** Folders that one program instance uses. */
export interface Folders {
  /** Code of the suite: a traffic worker is loaded from it. */
  readonly code: string;
  /** Folder of the unix sockets. */
  readonly run: string;
  /** Folder of the controller's or agent's own state. */
  readonly state: string;
  /** Folder of resources; the controller only reads it. */
  readonly resources: string;
}

/** A complete permission set. */
export type PermissionSet = Required<Deno.PermissionOptionsObject>;

const NOTHING: PermissionSet = {
  env: false,
  ffi: false,
  import: false,
  net: false,
  read: false,
  run: false,
  sys: false,
  write: false,
};

/** The controller reads its source, keeps last good bodies, and serves agents on a socket. */
export function controllerPermissions({ run, state, resources }: Folders): PermissionSet {
  return {
    ...NOTHING,
    env: [...ENV, ...YAML_ENV],
    sys: SYS,
    net: [`unix:${run}/controller.sock`],
    read: [resources, run, state],
    write: [run, state],
  };
}

/** The agent keeps the last known good and serves the admin API. */
export function agentPermissions({ run, state }: Folders, admin: string): PermissionSet {
  return {
    ...NOTHING,
    env: ENV,
    sys: SYS,
    net: [`unix:${run}/controller.sock`, `unix:${run}/dataplane.sock`, admin],
    read: [run, state],
    write: [run, state],
  };
}

/**
 * The dataplane talks to clients and backends, and to the agent on its socket. On the native transport it calls
 * libraries, and gives up by itself what it does not need then.
 * @param accessLog file of the access log, "" for none
 */
export function dataplanePermissions(
  { run, code }: Folders,
  native: boolean,
  accessLog = "",
): PermissionSet {
  // Old files are moved away within their folder.
  const logs = accessLog === "" ? [] : [dirname(accessLog)];
  const common = { ...NOTHING, net: true, read: [run, code, ...logs], write: [run, ...logs] };
  return native
    ? { ...common, env: [...ENV, ...NATIVE_ENV], sys: [...SYS, "ca"] as typeof SYS, ffi: true }
    : { ...common, env: ENV, sys: SYS };
}

/** The demo backends listen on their own ports. */
export function demoPermissions(ports: readonly number[]): PermissionSet {
  return { ...NOTHING, net: ports.map((port) => `127.0.0.1:${port}`) };
}
