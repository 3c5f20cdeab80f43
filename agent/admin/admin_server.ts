import { messageOf, NovaEdgeError } from "../../common/errors.ts";
import { FlagError } from "../../common/flags.ts";
import { HostAllowlist } from "../../common/host_allowlist.ts";
import type { StatusServer } from "../../common/status_server.ts";

const ADDRESS = /^(?:\[([0-9a-fA-F:.]+)\]|([^:\s[\]]+)):(\d{1,5})$/;
const MOST_PORTS = 65_535;

/** Address of the admin API, and the hosts that it accepts. */
export interface AdminSettings {
  /** As given by --admin, "127.0.0.1:9901" or "[::1]:9901". */
  readonly address: string;
  readonly hostname: string;
  readonly port: number;
  readonly hosts: HostAllowlist;
}

/**
 * Reads --admin and --admin-hosts.
 * @throws {FlagError} for an invalid address or name
 */
export function readAdminFlags(address: string, names: string): AdminSettings {
  const [, six, name, digits] = ADDRESS.exec(address) ?? [];
  const hostname = six ?? name;
  const port = Number(digits);
  if (hostname === undefined || port > MOST_PORTS) {
    throw new FlagError(`--admin must be host:port, as 127.0.0.1:9901, not "${address}"`);
  }
  const more = names.split(",").map((part) => part.trim()).filter((part) => part !== "");
  try {
    return { address, hostname, port, hosts: new HostAllowlist(hostname, more) };
  } catch (error) {
    throw new FlagError(`--admin-hosts: ${messageOf(error)}`);
  }
}

/** Serves the admin API. @throws {NovaEdgeError} when its address cannot be bound */
export function serveAdmin(
  { address, hostname, port }: AdminSettings,
  handler: (request: Request) => Response | Promise<Response>,
): StatusServer {
  try {
    return Deno.serve({ hostname, port, onListen() {} }, handler);
  } catch (error) {
    const reason = `cannot listen on ${address} (admin): ${messageOf(error)}`;
    throw new NovaEdgeError("BIND", `${reason}; choose another with --admin`, { cause: error });
  }
}
