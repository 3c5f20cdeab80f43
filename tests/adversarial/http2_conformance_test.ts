import assert from "node:assert/strict";
import { Authority, secret } from "../support/authority.ts";
import { backend, documents, Edge, route, secureGateway } from "../support/edge.ts";
import { freePort } from "../support/programs.ts";
import { RecordingBackend } from "../support/recording_backend.ts";
import { conform } from "./http2_conformance/conformance_case.ts";
import { CONNECTION_CASES } from "./http2_conformance/connection_cases.ts";
import { Conversation, type Listener } from "./http2_conformance/conversation.ts";
import { FRAME_CASES } from "./http2_conformance/frame_cases.ts";
import { HPACK_CASES } from "./http2_conformance/hpack_cases.ts";
import { MESSAGE_CASES } from "./http2_conformance/message_cases.ts";
import { SECTION_CASES } from "./http2_conformance/section_cases.ts";
import { STREAM_CASES } from "./http2_conformance/stream_cases.ts";
import { WINDOW_CASES } from "./http2_conformance/window_cases.ts";

const CASES = [
  ...CONNECTION_CASES,
  ...FRAME_CASES,
  ...SECTION_CASES,
  ...STREAM_CASES,
  ...WINDOW_CASES,
  ...MESSAGE_CASES,
  ...HPACK_CASES,
];

/** How many cases each section of h2spec's strict list has. */
const SECTIONS: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  generic: {
    "1": 1,
    "2": 5,
    "3.1": 3,
    "3.2": 3,
    "3.3": 5,
    "3.4": 1,
    "3.5": 1,
    "3.7": 1,
    "3.8": 1,
    "3.9": 2,
    "3.10": 2,
    "4": 4,
    "5": 15,
  },
  http2: {
    "3.5": 2,
    "4.1": 3,
    "4.2": 3,
    "4.3": 3,
    "5.1": 13,
    "5.1.1": 2,
    "5.1.2": 1,
    "5.3.1": 2,
    "5.4.1": 2,
    "5.5": 2,
    "6.1": 3,
    "6.2": 4,
    "6.3": 2,
    "6.4": 3,
    "6.5": 3,
    "6.5.2": 5,
    "6.5.3": 2,
    "6.7": 4,
    "6.8": 1,
    "6.9": 3,
    "6.9.1": 3,
    "6.9.2": 3,
    "6.10": 6,
    "7": 2,
    "8.1": 1,
    "8.1.2": 1,
    "8.1.2.1": 4,
    "8.1.2.2": 2,
    "8.1.2.3": 7,
    "8.1.2.6": 2,
    "8.2": 1,
  },
  hpack: { "2.3.3": 1, "4.2": 1, "5.2": 3, "6.1": 1, "6.3": 1 },
};

/** Failed cases of a listener after which it is given up: each may have waited for its guard. */
const MOST_FAILURES = 10;

Deno.test("HTTP/2 conformance: every case of h2spec's strict list is here, once", () => {
  const expected = Object.entries(SECTIONS).flatMap(([part, sections]) =>
    Object.entries(sections).flatMap(([section, count]) =>
      Array.from({ length: count }, (_, i) => `${part}/${section}/${i + 1}`)
    )
  );
  assert.equal(CASES.length, 146);
  assert.deepEqual(CASES.map(({ covers }) => covers).sort(), expected.sort());
});

Deno.test("HTTP/2 conformance: in the clear and over TLS, each case on a connection of its own", async (t) => {
  await using recording = await RecordingBackend.start();
  const [plain, secure] = [freePort(), freePort()];
  const pair = await (await Authority.create()).issue({
    name: "h.example.com",
    dns: ["h.example.com"],
  });
  await using edge = await Edge.start({
    "all.yaml": documents(
      secureGateway("edge", plain, secure, "pair"),
      secret("pair", pair),
      backend("b", recording.port),
      route("all", "b"),
    ),
  }, { workers: 1 });

  const hidden: string[] = [];
  const common = { backend: recording, hidden };
  const listeners: readonly Listener[] = [
    { ...common, name: "cleartext", port: plain, secure: false },
    { ...common, name: "TLS", port: secure, secure: true },
  ];
  for (const listener of listeners) {
    await t.step(listener.name, async (t) => {
      let failed = 0;
      for (const each of CASES) {
        const { covers, rfc, title } = each;
        const passed = await t.step(`RFC ${rfc}: ${title} (${covers})`, async () => {
          using client = await Conversation.open(listener, `/${listener.name}/${covers}`);
          await conform(each, client);
        });
        if (!passed) failed++;
        assert.ok(failed < MOST_FAILURES, "too many cases fail, the others are left out");
      }
    });
  }
  await t.step("nothing malformed has reached the backend, and all that has is plain", () => {
    const reached = new Set(recording.requests.map(({ target }) => target));
    assert.deepEqual(hidden.filter((target) => reached.has(target)), []);
    assert.deepEqual(recording.strange, []);
  });
  await t.step("no worker has died", async () => {
    assert.equal(await edge.metric("novaedge_worker_deaths_total"), 0);
  });
});
