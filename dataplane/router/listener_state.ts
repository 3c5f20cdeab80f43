import { Buffer } from "node:buffer";
import { CidrSet } from "../../common/cidr.ts";
import type { SlashRule } from "../../common/path.ts";
import {
  type ClientAuth,
  EscapedSlashes,
  type Gateway,
  type Listener,
  Protocol,
  type Redirect as RedirectMessage,
} from "../../proto/gen/novaedge/v1/config.ts";
import { dashed, type FieldEdit, makeEdit } from "../message/field_edit.ts";
import { CODINGS, type Compression, compression } from "./compression.ts";
import { HostMap, hostName } from "./host.ts";
import { policyLevels } from "./policy_levels.ts";
import { type ErrorPage, ListenerTable, PortTable, type Redirect } from "./port_table.ts";
import { type AskedAddress, urlOrigin } from "./redirect.ts";

/** Suites by their names in the registry of TLS, and groups of the key exchange; empty for any. */
export interface TlsLimits {
  readonly cipherSuites: readonly string[];
  readonly curves: readonly string[];
}

/** A listener with its routes. */
export interface ListenerState {
  readonly key: string;
  readonly gateway: string;
  readonly port: number;
  /** Addresses to bind, "" for every one. */
  readonly addresses: readonly string[];
  readonly https: boolean;
  readonly hostnames: readonly string[];
  readonly minVersion: string;
  /** What the listener's owner leaves of TLS; null for what the transport offers. */
  readonly tlsLimits: TlsLimits | null;
  /** Certificates by server name. */
  readonly certificates: HostMap<readonly string[]>;
  readonly clientAuth: ClientAuth | null;
  /** Who must send a PROXY header; null when nobody may. */
  readonly proxyProtocol: { readonly trusted: CidrSet; readonly version: number } | null;
  readonly maxConnections: number;
  readonly maxConnectionsPerClient: number;
  readonly accessLog: boolean;
  readonly table: ListenerTable;
}

const NO_LINES = new Uint8Array(0);

const SLASH_RULES: Readonly<Partial<Record<EscapedSlashes, SlashRule | "default">>> = {
  [EscapedSlashes.ESCAPED_SLASHES_DEFAULT]: "default",
  [EscapedSlashes.ESCAPED_SLASHES_KEEP]: "keep",
  [EscapedSlashes.ESCAPED_SLASHES_REJECT]: "reject",
  [EscapedSlashes.ESCAPED_SLASHES_REDIRECT]: "redirect",
};

/** The table of listeners that share a port; of two with one hostname the first counts. */
export function portTable(listeners: readonly ListenerState[]): PortTable {
  const table = new PortTable();
  const taken = new Set<string>();
  for (const listener of listeners) {
    for (const hostname of listener.hostnames) {
      if (!taken.has(hostname)) table.setListener(hostname, listener.table);
      taken.add(hostname);
    }
  }
  return table;
}

/**
 * A listener as configured, without routes yet.
 * @throws {CidrError} for a network that cannot be read
 */
export function listenerState(
  gatewayName: string,
  gateway: Gateway,
  listener: Listener,
): ListenerState {
  const key = `${gatewayName}/${listener.name}`;
  const { redirect, proxyProtocol } = listener;
  const certificates = new HostMap<string[]>();
  for (const { serverName, certificate } of listener.tls?.certificates ?? []) {
    const known = certificates.get(serverName);
    if (known === undefined) certificates.set(serverName, [certificate]);
    else known.push(certificate);
  }
  return {
    key,
    gateway: gatewayName,
    port: listener.port,
    addresses: listener.bindAddresses.length > 0 ? listener.bindAddresses : [""],
    https: listener.protocol === Protocol.PROTOCOL_HTTPS,
    hostnames: listener.hostnames.length > 0 ? listener.hostnames : [""],
    minVersion: listener.tls?.minVersion ?? "",
    tlsLimits: tlsLimitsOf(listener),
    certificates,
    clientAuth: listener.tls?.clientAuth ?? null,
    proxyProtocol: proxyProtocol === undefined ? null : {
      trusted: new CidrSet(proxyProtocol.trustedCidrs),
      version: proxyProtocol.version,
    },
    maxConnections: listener.maxConnections,
    maxConnectionsPerClient: listener.maxConnectionsPerClient,
    accessLog: gateway.accessLog?.disabled !== true,
    table: new ListenerTable(key, {
      closedReason: listener.closedReason,
      redirect: redirect === undefined ? null : redirector(redirect),
      maxBody: listener.maxRequestBodyBytes,
      trustedProxies: listener.trustedProxies.length === 0
        ? null
        : new CidrSet(listener.trustedProxies),
      forwarded: listener.forwarded,
      mergesSlashes: !listener.keepsSlashes,
      escapedSlashes: SLASH_RULES[listener.escapedSlashes] ?? "reject",
      untrustedFields: untrustedFieldsOf(listener),
      allowedSources: listener.allowedSources.length === 0
        ? null
        : new CidrSet(listener.allowedSources),
      policies: policyLevels(gateway.policies, listener.policies),
      compression: compressionOf(gateway),
      errorPages: errorPagesOf(gateway),
      tracing: gateway.tracing?.disabled === true ? null : gateway.tracing?.percent ?? 1,
    }),
  };
}

/** Names with `_` for `-` go too: many backends read them as the same. */
function untrustedFieldsOf({ untrustedFields }: Listener): FieldEdit | null {
  if (untrustedFields.length === 0) return null;
  const names = untrustedFields.map((name) => dashed(name.toLowerCase()));
  return makeEdit(new Set(names), NO_LINES, true);
}

function tlsLimitsOf({ tls }: Listener): TlsLimits | null {
  const { cipherSuites = [], curves = [] } = tls ?? {};
  return cipherSuites.length === 0 && curves.length === 0 ? null : { cipherSuites, curves };
}

function compressionOf({ compression: message }: Gateway): Compression | null {
  if (message === undefined) return null;
  const { codings, level, minSize, types, excludeTypes } = message;
  const known = CODINGS.filter((coding) => codings.includes(coding));
  known.sort((a, b) => codings.indexOf(a) - codings.indexOf(b));
  return compression(known, level, minSize, types, excludeTypes);
}

function errorPagesOf({ errorPages }: Gateway): ReadonlyMap<number, ErrorPage> | null {
  if (errorPages.length === 0) return null;
  const pages = new Map<number, ErrorPage>();
  for (const { codes, contentType, body, intercept } of errorPages) {
    const text = Buffer.from(body, "utf8").toString("latin1");
    const page: ErrorPage = {
      contentType,
      intercept,
      body: (status, reason) =>
        text.replaceAll("{status}", String(status)).replaceAll("{reason}", reason),
    };
    // Of several pages for one status the first counts.
    for (const code of codes) if (!pages.has(code)) pages.set(code, page);
  }
  return pages;
}

/** Certificate authorities ask for this path by plain HTTP (RFC 8555 section 8.3). */
const ACME = "/.well-known/acme-challenge/";

function redirector(
  { scheme, port, status, exclusions }: RedirectMessage,
): (origin: AskedAddress, path: string) => Redirect | null {
  return (origin, path) => {
    // A proxy in front of us may have done what the redirect is for.
    if (origin.scheme === scheme || path.startsWith(ACME)) return null;
    if (exclusions.some((prefix) => path.startsWith(prefix))) return null;
    return { status, origin: urlOrigin(scheme, hostName(origin.host), port) };
  };
}
