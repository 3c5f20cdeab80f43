import { Buffer } from "node:buffer";
import { ErrorCode } from "../../../dataplane/http2/frame.ts";
import { indexedLiteral, reference } from "../../support/http2_wire.ts";
import {
  answered,
  complete,
  type ConformanceCase,
  connectionError,
  type Expectation,
  headers,
  type Step,
} from "./conformance_case.ts";

const hex = (text: string) => Buffer.from(text.replaceAll(" ", ""), "hex");

// Texts of RFC 7541 appendix C, plain and in Huffman's code, each with its length.
const PLAIN_NAME = "0a 637573746f6d2d6b6579";
const CODED_NAME = "88 25a849e95ba97d7f";
const PLAIN_VALUE = "0c 637573746f6d2d76616c7565";
const CODED_VALUE = "89 25a849e95bb8e8b4bf";
const PLAIN_NO_CACHE = "08 6e6f2d6361636865";
const CODED_NO_CACHE = "86 a8eb10649cbf";
const CUSTOM = "custom-key: custom-value";
const CACHE_CONTROL = "cache-control: no-cache";
/** Index of the newest entry of the dynamic table. */
const NEWEST = 62;

/** A GET with these bytes behind its fields. */
function behind(bytes: string, stream = 1): Step {
  return headers({ stream, payload: (block) => Buffer.concat([block, hex(bytes)]) });
}

/** A GET with these bytes before its fields. */
function before(bytes: string): Step {
  return headers({ payload: (block) => Buffer.concat([hex(bytes), block]) });
}

/** A field that must reach the backend; then it is known by its index. */
function enters(covers: string, title: string, field: string, line: string): ConformanceCase {
  return {
    covers,
    rfc: "7541 6.2.1",
    title: `a field that enters the table, ${title}`,
    steps: [behind(field), { wait: complete({ lines: [line] }) }, behind("be", 3)],
    expect: answered({ stream: 3, lines: [line] }),
  };
}

/** A field that must reach the backend and leaves the table as it was before. */
function passes(
  covers: string,
  rfc: string,
  title: string,
  field: string,
  line: string,
): ConformanceCase {
  const known = indexedLiteral("x-known", "1");
  return {
    covers,
    rfc,
    title: `${title}: the table stays as it was`,
    steps: [
      headers({ payload: (block) => Buffer.concat([block, known, hex(field)]) }),
      { wait: complete({ lines: ["x-known: 1", line] }) },
      headers({ stream: 3, payload: (block) => Buffer.concat([block, reference(NEWEST)]) }),
    ],
    expect: answered({ stream: 3, lines: ["x-known: 1"] }),
  };
}

/** A field that is not indexed (section 6.2.2), or must not be by anybody (section 6.2.3). */
const open = (number: number, title: string, field: string, line: string) =>
  passes(`generic/5/${number}`, "7541 6.2.2", `a field that is not indexed, ${title}`, field, line);
const secret = (number: number, title: string, field: string, line: string) =>
  passes(`generic/5/${number}`, "7541 6.2.3", `a field never to index, ${title}`, field, line);

const representations: ConformanceCase[] = [
  {
    covers: "generic/5/1",
    rfc: "7541 6.1",
    title: "a field by its index",
    steps: [behind("90")],
    expect: answered({ lines: ["accept-encoding: gzip, deflate"] }),
  },
  enters("generic/5/2", "name by index", `58 ${PLAIN_NO_CACHE}`, CACHE_CONTROL),
  enters("generic/5/3", "name by index, Huffman", `58 ${CODED_NO_CACHE}`, CACHE_CONTROL),
  enters("generic/5/4", "name in full", `40 ${PLAIN_NAME} ${PLAIN_VALUE}`, CUSTOM),
  enters("generic/5/5", "name in full, Huffman", `40 ${CODED_NAME} ${CODED_VALUE}`, CUSTOM),
  open(6, "name by index", `0f09 ${PLAIN_NO_CACHE}`, CACHE_CONTROL),
  open(7, "name by index, Huffman", `0f09 ${CODED_NO_CACHE}`, CACHE_CONTROL),
  open(8, "name in full", `00 ${PLAIN_NAME} ${PLAIN_VALUE}`, CUSTOM),
  open(9, "name in full, Huffman", `00 ${CODED_NAME} ${CODED_VALUE}`, CUSTOM),
  secret(10, "name by index", `1f09 ${PLAIN_NO_CACHE}`, CACHE_CONTROL),
  secret(11, "name by index, Huffman", `1f09 ${CODED_NO_CACHE}`, CACHE_CONTROL),
  secret(12, "name in full", `10 ${PLAIN_NAME} ${PLAIN_VALUE}`, CUSTOM),
  secret(13, "name in full, Huffman", `10 ${CODED_NAME} ${CODED_VALUE}`, CUSTOM),
  {
    covers: "generic/5/14",
    rfc: "7541 6.3",
    title: "the table becomes 128 bytes large",
    steps: [before("3f61")],
    expect: answered(),
  },
  {
    covers: "generic/5/15",
    rfc: "7541 4.2",
    title: "the table becomes 128 bytes large and then 4096 again",
    steps: [before("3f61 3fe11f")],
    expect: answered(),
  },
];

/** A section that cannot be decoded, after which the tables of both sides differ. */
function undecodable(covers: string, rfc: string, title: string, step: Step): ConformanceCase {
  return { covers, rfc, title, steps: [step], expect: refused };
}

const refused: Expectation = async (client) => {
  client.listener.hidden.push(client.target(1));
  await connectionError(ErrorCode.CompressionError)(client);
};

const errors: ConformanceCase[] = [
  undecodable("hpack/2.3.3/1", "7541 2.3.3", "an index above both tables", behind("c6")),
  undecodable("hpack/4.2/1", "7541 4.2", "another size of the table behind a field", behind("21")),
  undecodable(
    "hpack/5.2/1",
    "7541 5.2",
    "a text that is padded by more than 7 bits",
    behind(`00 ${CODED_NAME} 87 a8eb10649cbf ff`),
  ),
  undecodable(
    "hpack/5.2/2",
    "7541 5.2",
    "a text that is padded by zeros",
    // "test", whose code leaves four bits.
    behind(`00 ${CODED_NAME} 83 495090`),
  ),
  undecodable(
    "hpack/5.2/3",
    "7541 5.2",
    "a text with the symbol that ends all texts",
    behind(`00 ${CODED_NAME} 87 fffffffd25427f`),
  ),
  undecodable("hpack/6.1/1", "7541 6.1", "index 0", behind("80")),
  undecodable(
    "hpack/6.3/1",
    "7541 6.3",
    "a table larger by a byte than we announced",
    before("3fe21f"),
  ),
];

/** Header compression. */
export const HPACK_CASES: readonly ConformanceCase[] = [...representations, ...errors];
