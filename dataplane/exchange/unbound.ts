import type { Downstream } from "./downstream.ts";
import type { Peer } from "./peer.ts";

/**
 * Whose request an exchange has while it waits for the next one: nobody's. An exchange that kept the
 * client of its last request would keep that connection's buffers in memory.
 */
export const UNBOUND: Downstream = {
  get peer(): Peer {
    throw new Error("no client");
  },
  sendInterim() {},
  sendHead: () => true,
  sendBody: () => true,
  sendTrailers() {},
  sendUpgrade: () => true,
  sendLocal: () => 0,
  cut() {},
  pauseRequest() {},
  resumeRequest() {},
  exchangeDone() {},
  onFault() {},
};
