/** What a listener takes of its port, whichever kind of gateway it belongs to. */
export interface ListenerClaim {
  /** "kind/namespace/gateway/listener" */
  readonly key: string;
  readonly port: number;
  /** Addresses to bind, "" for every one; none yet when empty. */
  readonly addresses: readonly string[];
  readonly protocol: string;
  /** In lower case; "" for any. */
  readonly hostnames: readonly string[];
  /** From whom a PROXY header is taken; "" for nobody. */
  readonly proxyProtocol: string;
  /** Key of the gateway among whose listeners the rank decides. */
  readonly gateway: string;
  /** Of two listeners of one gateway the one with the lower rank counts. */
  readonly rank: string;
}
