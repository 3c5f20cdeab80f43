import { Buffer } from "node:buffer";
import {
  type ClientDuplexStream,
  type ClientUnaryCall,
  credentials,
  makeGenericClientConstructor,
  Metadata,
  type ServiceError,
  status,
  type StatusObject,
} from "@grpc/grpc-js";
import { REASONS } from "../../../dataplane/observe/reasons.ts";
import { askMessage, CALL_ID, CALM, grpcService, TORN } from "../backends/grpc_service.ts";
import { wholeContent } from "../content.ts";
import { chance, pause, pick, roll, rollLength } from "../dice.ts";
import { nextId } from "../plan.ts";
import { watched } from "../watchdog.ts";
import type { World } from "../world.ts";

const MOST = 100_000;
const MESSAGES = 30;
const CALLS = 40;
const THINK = 40;
const SLOW = 1_000;
const PLANNED = [status.NOT_FOUND, status.ABORTED, status.RESOURCE_EXHAUSTED];

/** A call as it was meant, and what came of it. */
interface Call {
  readonly id: number;
  readonly torn: boolean;
  /** Status that the server is asked for. */
  readonly status: number;
  cancelled: boolean;
  /** Messages that came in their turn with the right content. */
  right: number;
  readonly messages: number;
  wrong: boolean;
}

/** One user of gRPC: channels one after the other, unary calls and streams in both directions. */
export async function grpcUser(world: World, secure: boolean): Promise<void> {
  const { gate, ledger, ports, authority } = world;
  const name = secure ? "gRPC over TLS" : "gRPC";
  const Client = makeGenericClientConstructor({}, "soak");
  while (!gate.stopped) {
    const client = new Client(
      `127.0.0.1:${secure ? ports.tls : ports.plain}`,
      secure ? credentials.createSsl(Buffer.from(authority)) : credentials.createInsecure(),
      {
        // A connection of its own for each channel, and nothing sent twice by the client itself.
        "grpc.use_local_subchannel_pool": 1,
        "grpc.enable_retries": 0,
        "grpc.ssl_target_name_override": "localhost",
      },
    );
    for (let i = roll(1, CALLS); i > 0; i--) {
      if (!await gate.enter()) break;
      const call = rollCall();
      try {
        const metadata = new Metadata();
        metadata.set(CALL_ID, `${call.id}`);
        const service = grpcService(call.torn ? TORN : CALM);
        const running = call.messages === 0
          ? unary(client.makeUnaryRequest.bind(client), service.unary.path, metadata, call)
          : bidi(
            client.makeBidiStreamRequest(
              service.bidi.path,
              (value: Buffer) => value,
              (value: Buffer) => value,
              metadata,
            ),
            call,
          );
        const ended = await watched(
          ledger,
          () => `${name} ${JSON.stringify(call)}`,
          running,
          () => client.close(),
        );
        judge(world, name, call, ended);
      } finally {
        gate.leave();
      }
      await pause(roll(0, THINK));
    }
    client.close();
  }
}

function rollCall(): Call {
  const turn = Math.random();
  return {
    id: nextId(),
    torn: chance(0.25),
    status: turn < 0.1 ? pick(PLANNED) : 0,
    cancelled: turn > 0.9,
    messages: chance(0.5) ? 0 : roll(1, MESSAGES),
    right: 0,
    wrong: false,
  };
}

type UnaryRequest = (
  path: string,
  serialize: (value: Buffer) => Buffer,
  deserialize: (value: Buffer) => Buffer,
  message: Buffer,
  metadata: Metadata,
  done: (error: ServiceError | null, value?: Buffer) => void,
) => ClientUnaryCall;

function unary(
  request: UnaryRequest,
  path: string,
  metadata: Metadata,
  call: Call,
): Promise<StatusObject> {
  const same = (value: Buffer) => value;
  const size = rollLength(MOST);
  const delay = chance(0.1) ? roll(1, SLOW) : 0;
  const message = askMessage({ id: call.id, size, delay, status: call.status }, rollLength(MOST));
  return new Promise((resolve) => {
    const running = request(path, same, same, message, metadata, (_error, value) => {
      if (value === undefined) return;
      if (value.equals(wholeContent(call.id, size))) call.right++;
      else call.wrong = true;
    });
    running.on("status", resolve);
    if (call.cancelled) setTimeout(() => running.cancel(), roll(0, 20));
  });
}

/** Messages go out without waiting for their echoes, which come in the same order. */
function bidi(running: ClientDuplexStream<Buffer, Buffer>, call: Call): Promise<StatusObject> {
  const awaited: { id: number; size: number }[] = [];
  const stop = roll(0, call.messages - 1);
  running.on("data", (message: Buffer) => {
    const first = awaited.shift();
    if (first === undefined || !message.equals(wholeContent(first.id, first.size))) {
      call.wrong = true;
    } else call.right++;
    if (call.cancelled && call.right > stop) running.cancel();
  });
  running.on("error", () => {});
  const ended = new Promise<StatusObject>((resolve) => running.on("status", resolve));
  let over = false;
  void ended.then(() => over = true);
  const send = async () => {
    for (let i = 0; i < call.messages && !over; i++) {
      const ask = { id: call.id * 100 + i, size: rollLength(MOST / 4), delay: 0 };
      awaited.push(ask);
      const wanted = i === stop ? call.status : 0;
      running.write(askMessage({ ...ask, status: wanted }, rollLength(MOST / 4)));
      if (chance(0.3)) await pause(roll(0, 30));
    }
    if (!over) running.end();
  };
  void send();
  return ended;
}

function judge(world: World, name: string, call: Call, { code, details }: StatusObject): void {
  const { ledger, links } = world;
  const wrong = (what: string) =>
    ledger.violate(`${name}: ${what}: ${status[code]} "${details}" for ${JSON.stringify(call)}`);
  if (call.wrong) return wrong("foreign or broken message");
  if (code === status.OK) {
    if (call.right !== Math.max(1, call.messages)) return wrong("OK without every message");
    if (call.status !== 0) return wrong("OK instead of the server's status");
    ledger.ended(name, "right");
  } else if (code === call.status && details === "as planned") {
    ledger.ended(name, "right", "status");
  } else if (call.cancelled && code === status.CANCELLED) ledger.ended(name, "client abort");
  else if (call.torn) ledger.ended(name, "backend fault", status[code]);
  else if (links.inCrash && !(REASONS as readonly string[]).includes(details)) {
    ledger.ended(name, "worker crash");
  } else wrong("failed without a cause");
}
