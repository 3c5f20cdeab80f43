import { Flag } from "../../../dataplane/http2/frame.ts";
import { dataFrame } from "../../support/http2_frames.ts";
import type { Field } from "../../support/http2_wire.ts";
import {
  answered,
  type ConformanceCase,
  get,
  headers,
  malformed,
  post,
  type Step,
  trailers,
  WHOLE,
} from "./conformance_case.ts";

const more = (...fields: readonly Field[]): Step =>
  headers({ fields: (plain) => [...plain, ...fields] });
const without = (name: string): Step =>
  headers({ fields: (plain) => plain.filter(([field]) => field !== name) });
const twice = (name: string): Step =>
  headers({ fields: (plain) => [...plain, ...plain.filter(([field]) => field === name)] });

const exchanges: ConformanceCase[] = [
  {
    covers: "generic/4/1",
    rfc: "9113 8.1",
    title: "GET is answered",
    steps: [get()],
    expect: answered(),
  },
  {
    covers: "generic/4/2",
    rfc: "9113 8.1",
    title: "HEAD is answered without content, and with its length",
    steps: [headers({ method: "HEAD" })],
    expect: answered({ empty: true }),
  },
  {
    covers: "generic/4/3",
    rfc: "9113 8.1",
    title: "POST with content is answered",
    steps: [post(), dataFrame(1, "test", true)],
    expect: answered({ content: "test" }),
  },
  {
    covers: "generic/4/4",
    rfc: "9113 8.1",
    title: "POST with trailers, which reach the backend",
    steps: [
      post(["trailer", "x-test"]),
      dataFrame(1, "test", false),
      trailers(WHOLE, ["x-test", "ok"]),
    ],
    expect: answered({ content: "test", trailers: "x-test: ok\r\n" }),
  },
  {
    covers: "http2/8.1/1",
    rfc: "9113 8.1",
    title: "trailers that do not end the stream",
    steps: [
      post(),
      dataFrame(1, "test", false),
      trailers(Flag.EndHeaders, ["x-test", "ok"]),
    ],
    expect: malformed,
  },
];

const fields: ConformanceCase[] = [
  {
    covers: "http2/8.1.2/1",
    rfc: "9113 8.2.1",
    title: "a name in upper case",
    steps: [more(["X-TEST", "ok"])],
    expect: malformed,
  },
  {
    covers: "http2/8.1.2.2/1",
    rfc: "9113 8.2.2",
    title: "a field that belongs to a connection of HTTP/1.1",
    steps: [more(["connection", "keep-alive"])],
    expect: malformed,
  },
  {
    covers: "http2/8.1.2.2/2",
    rfc: "9113 8.2.2",
    title: "TE with more than trailers",
    steps: [more(["trailers", "test"], ["te", "trailers, deflate"])],
    expect: malformed,
  },
];

const pseudoFields: ConformanceCase[] = [
  {
    covers: "http2/8.1.2.1/1",
    rfc: "9113 8.3",
    title: "a pseudo-header field that nobody has defined",
    steps: [more([":test", "ok"])],
    expect: malformed,
  },
  {
    covers: "http2/8.1.2.1/2",
    rfc: "9113 8.3",
    title: "a pseudo-header field of answers",
    steps: [more([":status", "200"])],
    expect: malformed,
  },
  {
    covers: "http2/8.1.2.1/3",
    rfc: "9113 8.1",
    title: "a pseudo-header field in trailers",
    steps: [
      post(),
      dataFrame(1, "test", false),
      trailers(WHOLE, [":method", "POST"]),
    ],
    expect: malformed,
  },
  {
    covers: "http2/8.1.2.1/4",
    rfc: "9113 8.3",
    title: "pseudo-header fields behind another field",
    steps: [headers({ fields: (plain) => [["x-test", "ok"], ...plain] })],
    expect: malformed,
  },
  {
    covers: "http2/8.1.2.3/1",
    rfc: "9113 8.3.1",
    title: "an empty path",
    steps: [
      headers({
        fields: (plain) => plain.map(([name, value]) => [name, name === ":path" ? "" : value]),
      }),
    ],
    expect: malformed,
  },
  ...[":method", ":scheme", ":path"].flatMap((name, i): ConformanceCase[] => [
    {
      covers: `http2/8.1.2.3/${2 + i}`,
      rfc: "9113 8.3.1",
      title: `no ${name}`,
      steps: [without(name)],
      expect: malformed,
    },
    {
      covers: `http2/8.1.2.3/${5 + i}`,
      rfc: "9113 8.3.1",
      title: `${name} twice, with one value`,
      steps: [twice(name)],
      expect: malformed,
    },
  ]),
];

const lengths: ConformanceCase[] = [
  {
    covers: "http2/8.1.2.6/1",
    rfc: "9113 8.1.1",
    title: "more content than announced, in one frame",
    steps: [post(["content-length", "1"]), dataFrame(1, "test", true)],
    expect: malformed,
  },
  {
    covers: "http2/8.1.2.6/2",
    rfc: "9113 8.1.1",
    title: "more content than announced, in frames of which each is not",
    steps: [
      post(["content-length", "5"]),
      dataFrame(1, "test", false),
      dataFrame(1, "test", true),
    ],
    expect: malformed,
  },
];

/** Requests and what makes them malformed. */
export const MESSAGE_CASES: readonly ConformanceCase[] = [
  ...exchanges,
  ...fields,
  ...pseudoFields,
  ...lengths,
];
