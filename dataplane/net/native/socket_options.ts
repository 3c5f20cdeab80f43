import type { Descriptor, Libc } from "./libc.ts";

/** Seconds without traffic after which the kernel asks whether the peer is there still. */
const KEEP_IDLE = 60;

/** What flags say of sockets; 0 leaves the system's own. */
export interface SocketSettings {
  /** Milliseconds after which a peer that acknowledges nothing is given up. */
  readonly userTimeout: number;
  /** Mark of packets to backends, by which the node routes them; needs CAP_NET_ADMIN. */
  readonly upstreamMark: number;
  /** Byte of packets to backends that holds their DSCP (RFC 2474): the code point times four. */
  readonly upstreamTos: number;
}

/** Sockets as the system makes them. */
export const SYSTEM_SETTINGS: SocketSettings = { userTimeout: 0, upstreamMark: 0, upstreamTos: 0 };

/** Of sockets to both sides; those that a listener accepts take its own over. @throws {SystemError} */
export function setStreamOptions(
  libc: Libc,
  socket: Descriptor,
  { userTimeout }: SocketSettings,
): void {
  libc.set(socket, "noDelay", 1);
  libc.set(socket, "keepAlive", 1);
  libc.set(socket, "keepIdle", KEEP_IDLE);
  if (userTimeout > 0) libc.set(socket, "userTimeout", userTimeout);
}

/** Of sockets to backends. @throws {SystemError} */
export function setUpstreamOptions(
  libc: Libc,
  socket: Descriptor,
  v6: boolean,
  settings: SocketSettings,
): void {
  setStreamOptions(libc, socket, settings);
  const { upstreamMark, upstreamTos } = settings;
  if (upstreamMark > 0) libc.set(socket, "mark", upstreamMark);
  if (upstreamTos > 0) libc.set(socket, v6 ? "trafficClass" : "typeOfService", upstreamTos);
}
