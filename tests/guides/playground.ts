import assert from "node:assert/strict";
import { STATUS_TEXT } from "../../dataplane/message/status_text.ts";
import { HttpConnection } from "../support/http_client.ts";
import { freePort } from "../support/programs.ts";
import { type Example, printsAsShown } from "./guide.ts";

/** Gives every port of a page one that is free on this machine. */
export class Ports {
  readonly #real = new Map<string, number>();

  of(shown: string): number {
    let port = this.#real.get(shown);
    if (port === undefined) this.#real.set(shown, port = freePort());
    return port;
  }

  inYaml(text: string): string {
    return text.replace(
      /(\bport: |\/\/127\.0\.0\.1:)(\d+)/g,
      (_all, before, shown) => `${before}${this.of(shown)}`,
    );
  }
}

/** Does what a page shows, and compares what is printed. */
export async function tryExample(example: Example, ports: Ports): Promise<void> {
  const { url, method, headers, body, withHead, expected } = example;
  using connection = await HttpConnection.open(ports.of(url.port));
  const fields = Object.fromEntries(headers.map(([name, value]) => [name.toLowerCase(), value]));
  const answer = await connection.request(method, url.pathname + url.search, fields, body);
  assert.ok(answer.complete);
  const head = [
    `HTTP/1.1 ${answer.status} ${STATUS_TEXT[answer.status]}`,
    ...[...answer.headers].map(([name, value]) => `${name}: ${value}`),
    "",
  ];
  const lines = answer.body.trimEnd().split("\n");
  if (withHead) lines.unshift(...head);
  assert.ok(
    printsAsShown(lines, expected),
    `printed:\n${lines.join("\n")}\nshown:\n${expected.join("\n")}`,
  );
}
