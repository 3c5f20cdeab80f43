import { Buffer } from "node:buffer";
import { children, readElement } from "../../dataplane/net/x509/der.ts";

const CONSTRUCTED = 0x20;
const BIT_STRING = 0x03;
const OCTET_STRING = 0x04;

/** An element of DER that a fuzzer may change; nothing about it has to be valid. */
export interface DerNode {
  tag: number;
  /** Bytes in front of the children or content: unused bits of a BIT STRING that holds elements. */
  prefix: Buffer;
  /** Null for a leaf. */
  children: DerNode[] | null;
  content: Buffer;
  /** Added to the length that is written. */
  lie: number;
}

const NOTHING = Buffer.alloc(0);

/** A leaf. */
export function leaf(tag: number, content: Uint8Array): DerNode {
  return { tag, prefix: NOTHING, children: null, content: Buffer.from(content), lie: 0 };
}

/** An element with children. */
export function constructed(tag: number, ...nodes: DerNode[]): DerNode {
  return { tag, prefix: NOTHING, children: nodes, content: NOTHING, lie: 0 };
}

/** Reads the element at the beginning of `bytes`. @throws {DerError} */
export function readTree(bytes: Uint8Array): DerNode {
  const { tag, start, end } = readElement(bytes, 0, bytes.length);
  const content = Buffer.from(bytes.subarray(start, end));
  if ((tag & CONSTRUCTED) !== 0) return { ...leaf(tag, NOTHING), children: childrenOf(content) };
  if (tag === BIT_STRING || tag === OCTET_STRING) {
    const prefix = content.subarray(0, tag === BIT_STRING ? 1 : 0);
    try {
      const nodes = childrenOf(content.subarray(prefix.length));
      if (nodes.length > 0) return { ...leaf(tag, NOTHING), prefix, children: nodes };
    } catch {
      // Bytes of another kind, as keys and signatures are.
    }
  }
  return leaf(tag, content);
}

function childrenOf(content: Buffer): DerNode[] {
  const outer = { tag: 0, at: 0, start: 0, end: content.length };
  return children(content, outer).map(({ at, end }) => readTree(content.subarray(at, end)));
}

/** Room for the largest tree. */
const room = Buffer.alloc(8 << 20);

/** The bytes of a tree, in the shortest lengths that are not lies. */
export function writeTree(node: DerNode): Buffer {
  return Buffer.from(room.subarray(put(node, room.length)));
}

/** Writes a node in front of `end`; returns where it begins. */
function put(node: DerNode, end: number): number {
  let at = end;
  if (node.children === null) room.set(node.content, at -= node.content.length);
  else for (const child of node.children.toReversed()) at = put(child, at);
  room.set(node.prefix, at -= node.prefix.length);
  let length = Math.max(0, end - at + node.lie);
  if (length < 0x80) room[--at] = length;
  else {
    const last = at;
    for (; length > 0; length = Math.floor(length / 256)) room[--at] = length % 256;
    const digits = last - at;
    room[--at] = 0x80 | digits;
  }
  room[--at] = node.tag;
  return at;
}

/** A copy that shares nothing. */
export function copyTree(node: DerNode): DerNode {
  return { ...node, children: node.children === null ? null : node.children.map(copyTree) };
}

/** All nodes of a tree, each before its children. */
export function nodesOf(node: DerNode): DerNode[] {
  const found: DerNode[] = [];
  const visit = (one: DerNode) => {
    found.push(one);
    one.children?.forEach(visit);
  };
  visit(node);
  return found;
}
