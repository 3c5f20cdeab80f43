import type { Buffer } from "node:buffer";
import { type RequestAdditions, writeRequest } from "../http1/write_request.ts";
import type { RequestHead } from "../message/request_head.ts";
import { forwardedFields } from "./forwarded.ts";
import type { Peer } from "./peer.ts";
import type { Routing } from "./routing.ts";

/** What an exchange decides about the head that goes to the backend. */
export interface Forwarded {
  readonly routing: Routing;
  /** Method that the backend sees. */
  readonly upstreamMethod: string;
  readonly upgrade: string;
  readonly webSocketKey: string;
  readonly requestId: string;
  /** Who the client is, for logs; set when a trusted proxy speaks for it. */
  client: string;
}

/** What each request changes in what is added to its head; one object serves all of a worker's. */
const additions = {
  method: "",
  path: null as string | null,
  peerFields: new Uint8Array(0) as Uint8Array,
  forwardedHost: "",
  defaultHost: "",
  requestId: "",
  upgrade: "",
  webSocketKey: "",
} satisfies RequestAdditions;

/** Writes the head of a routed request as it goes to the backend. */
export function forwardHead(head: RequestHead, peer: Peer, request: Forwarded): Buffer {
  const { routing } = request;
  const forwarding = forwardedFields(
    head,
    peer,
    routing.decision.listener!,
    () => routing.origin(),
  );
  if (forwarding !== null) request.client = forwarding.client;
  additions.method = request.upstreamMethod;
  additions.path = routing.changedTarget();
  additions.peerFields = forwarding === null ? peer.fields : forwarding.fields;
  additions.forwardedHost = forwarding === null ? head.host : "";
  additions.defaultHost = routing.endpoint!.label;
  additions.requestId = head.requestIdIndex >= 0 ? "" : request.requestId;
  additions.upgrade = request.upgrade;
  additions.webSocketKey = request.webSocketKey;
  return writeRequest(head, additions);
}
