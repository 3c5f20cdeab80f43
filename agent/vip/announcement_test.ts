import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { announcement } from "./announcement.ts";

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");

Deno.test("a gratuitous ARP request asks everybody for the address it is sent from", () => {
  assert.equal(
    hex(announcement("02:00:00:00:00:0a", "192.0.2.1")),
    "ffffffffffff02000000000a0806" + "0001080006040001" + "02000000000a" + "c0000201" +
      "ffffffffffff" + "c0000201",
  );
});

Deno.test("an unsolicited advertisement overrides what neighbours know, with a right checksum", () => {
  const frame = announcement("02:00:00:00:00:0a", "2001:db8::1");
  assert.equal(
    hex(frame.subarray(0, 54)),
    "333300000001" + "02000000000a" + "86dd" + "6000000000203aff" +
      "20010db8000000000000000000000001" + "ff020000000000000000000000000001",
  );
  const message = frame.subarray(54);
  assert.equal(
    hex(message.subarray(4)),
    "20000000" + "20010db8000000000000000000000001" + "020102000000000a",
  );
  // With its checksum in place the sum over pseudo header and message is all ones (RFC 1071).
  const pseudo = [...frame.subarray(22, 54), 0, 0, 0, 32, 0, 0, 0, 58, ...message];
  let sum = 0;
  for (let i = 0; i < pseudo.length; i += 2) sum += (pseudo[i] << 8) | pseudo[i + 1];
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  assert.equal(sum, 0xffff);
});
