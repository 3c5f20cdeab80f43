import type { Buffer } from "node:buffer";
import {
  type Metadata,
  type sendUnaryData,
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  type ServerUnaryCall,
} from "@grpc/grpc-js";
import { wholeContent } from "../content.ts";
import { pause } from "../dice.ts";
import type { Ledger } from "../ledger.ts";
import { CALL_ID, CALM, grpcService, readAsk, TORN } from "./grpc_service.ts";

/** A gRPC server, in the clear; the port it listens on. */
export function grpcBackend(ledger: Ledger): Promise<number> {
  const server = new Server();
  const handlers = {
    unary: (call: ServerUnaryCall<Buffer, Buffer>, done: sendUnaryData<Buffer>) =>
      void unary(ledger, call, done),
    bidi: (call: ServerDuplexStream<Buffer, Buffer>) => bidi(ledger, call),
  };
  server.addService(grpcService(CALM), handlers);
  server.addService(grpcService(TORN), handlers);
  return new Promise((resolve, reject) =>
    server.bindAsync(
      "127.0.0.1:0",
      ServerCredentials.createInsecure(),
      (error, port) => error === null ? resolve(port) : reject(error),
    )
  );
}

function processed(ledger: Ledger, metadata: Metadata): void {
  ledger.processed(Number(metadata.get(CALL_ID)[0]));
}

async function unary(
  ledger: Ledger,
  call: ServerUnaryCall<Buffer, Buffer>,
  done: sendUnaryData<Buffer>,
): Promise<void> {
  processed(ledger, call.metadata);
  const ask = readAsk(call.request);
  if (ask === null) {
    ledger.violate("a gRPC request is complete with other content");
    return;
  }
  if (ask.delay > 0) await pause(ask.delay);
  if (ask.status > 0) done({ code: ask.status, details: "as planned" });
  else done(null, wholeContent(ask.id, ask.size));
}

function bidi(ledger: Ledger, call: ServerDuplexStream<Buffer, Buffer>): void {
  processed(ledger, call.metadata);
  let failed = false;
  call.on("data", (message: Buffer) => {
    const ask = readAsk(message);
    if (ask === null) ledger.violate("a gRPC message arrived with other content");
    else if (failed || call.cancelled) return;
    else if (ask.status > 0) {
      failed = true;
      call.emit("error", { code: ask.status, details: "as planned" });
    } else call.write(wholeContent(ask.id, ask.size));
  });
  call.on("end", () => {
    if (!failed) call.end();
  });
  call.on("error", () => {});
}
