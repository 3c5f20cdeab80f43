/**
 * What ordinary clients ask for before anything is measured: a gateway that serves its first requests of a kind
 * compiles what serves them, on the core that serves others, and an edge has long done so.
 */
import net from "node:net";
import { Http2Client, pseudo } from "../../support/http2_client.ts";
import { HttpConnection } from "../../support/http_client.ts";
import type { Target } from "./attacks.ts";

const ROUNDS = 40;
/** Downloads at once, and one after the other. */
const DOWNLOADS = 4;

/** Requests of all kinds that attacks are made of, none of them bad. */
export async function warmUp({ http, https }: Target): Promise<void> {
  await Promise.all([streams(http), handshakes(https), downloads(http)]);
}

/** Requests over HTTP/2, with content and large responses among them. */
async function streams(port: number): Promise<void> {
  for (let round = 0; round < ROUNDS; round++) {
    using client = await Http2Client.open(port);
    const post = client.request(pseudo("POST", "/", "normal.example.com"), false);
    client.data(post, "content", true);
    const gets = Array.from(
      { length: 20 },
      () => client.request(pseudo("GET", "/", "normal.example.com")),
    );
    const large = client.request(pseudo("GET", "/stream", "h2.test"));
    for (const stream of [post, ...gets, large]) await client.answer(stream);
  }
}

async function handshakes(port: number): Promise<void> {
  for (let round = 0; round < ROUNDS; round++) {
    using client = await HttpConnection.open(port, { tls: { servername: "a.example.com" } });
    await client.request("GET", "/", { host: "normal.example.com" });
  }
}

/** Large responses, compressed and as they are. */
async function downloads(port: number): Promise<void> {
  await Promise.all(Array.from({ length: DOWNLOADS }, async () => {
    for (let i = 0; i < DOWNLOADS; i++) {
      await download(port, "/stream", "br");
      await download(port, "/big", "identity");
    }
  }));
}

function download(port: number, path: string, coding: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = net.connect({ port, host: "127.0.0.1" });
    socket.write(
      `GET ${path} HTTP/1.1\r\nHost: big.test\r\nAccept-Encoding: ${coding}\r\nConnection: close\r\n\r\n`,
    );
    socket.on("error", reject);
    socket.on("close", () => resolve());
    socket.resume();
  });
}
