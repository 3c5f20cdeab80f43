import { Buffer } from "node:buffer";
import { RequestHead } from "./request_head.ts";

/** A head in memory of its own, for those who need it after the turn in which it was parsed. */
export function copyHead(head: RequestHead): RequestHead {
  const { block } = head;
  let start = head.targetStart;
  let end = head.targetEnd;
  for (let i = 0; i < block.count; i++) {
    start = Math.min(start, block.nameStart(i));
    end = Math.max(end, block.lineEnd(i));
  }
  const copy = new RequestHead(block.count);
  const { block: own } = copy;
  own.buffer = Buffer.from(head.buffer.subarray(start, end));
  for (let i = 0; i < block.count; i++) {
    own.add(
      block.nameStart(i) - start,
      block.nameEnd(i) - start,
      block.valueStart(i) - start,
      block.valueEnd(i) - start,
      block.lineEnd(i) - start,
      block.id(i),
    );
  }
  const { method, version, host, absolute, expectContinue, upgrade, takesTrailers } = head;
  const { grpc, requestIdIndex, grpcTimeoutIndex, refusal } = head;
  Object.assign(copy, { method, version, host, absolute, expectContinue, upgrade, takesTrailers });
  Object.assign(copy, { grpc, requestIdIndex, grpcTimeoutIndex, refusal });
  Object.assign(copy.framing, head.framing);
  copy.targetStart = head.targetStart - start;
  copy.targetEnd = head.targetEnd - start;
  return copy;
}
