import { type RequestHead, Version } from "../message/request_head.ts";
import { TextCache } from "../message/text_cache.ts";

/** Few programs send most requests. */
const agents = new TextCache(10, (text) => text);
const PROTOCOLS: readonly string[] = ["HTTP/1.0", "HTTP/1.1", "HTTP/2"];

/** Name of a protocol version, for logs. */
export function protocolName(version: Version): string {
  return PROTOCOLS[version];
}

/** The User-Agent of a request, "" without one. */
export function userAgentOf({ block, userAgentIndex: index }: RequestHead): string {
  return index < 0 ? "" : agents.get(block.buffer, block.valueStart(index), block.valueEnd(index));
}

/** The Referer of a request without its query, which may have secrets; "" without one. */
export function refererOf({ block, refererIndex: index }: RequestHead): string {
  if (index < 0) return "";
  const referer = block.value(index);
  const query = referer.indexOf("?");
  return query < 0 ? referer : referer.slice(0, query);
}
