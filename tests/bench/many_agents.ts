import { type ClientDuplexStream, credentials, makeGenericClientConstructor } from "@grpc/grpc-js";
import { Buffer } from "node:buffer";
import { KEEPALIVE, MESSAGE_LIMITS } from "../../common/grpc.ts";
import { Kind } from "../../common/delta/resources.ts";
import { AgentMessage, Delta } from "../../proto/gen/novaedge/v1/distribution.ts";

/** Milliseconds between two signs of life of an agent. */
const ALIVE = 3_000;

/** A delta that an agent got. */
export interface Received {
  readonly bytes: number;
  /** Milliseconds of performance.now. */
  readonly at: number;
  /** Resources by kind, those that stop at the agent included. */
  readonly kinds: ReadonlyMap<string, number>;
}

type Stream = ClientDuplexStream<AgentMessage, { delta: Delta; bytes: number }>;

const Client = makeGenericClientConstructor({
  streamConfig: {
    path: "/novaedge.v1.ConfigDistribution/StreamConfig",
    requestStream: true,
    responseStream: true,
    requestSerialize: (message: AgentMessage) => Buffer.from(AgentMessage.encode(message).finish()),
    requestDeserialize: (bytes: Buffer) => AgentMessage.decode(bytes),
    responseSerialize: () => Buffer.alloc(0),
    responseDeserialize: (bytes: Buffer) => ({ delta: Delta.decode(bytes), bytes: bytes.length }),
  },
}, "novaedge.v1.ConfigDistribution");

/** Agents without a dataplane: each takes what it is sent, acknowledges it and forgets it. */
export class ManyAgents implements Disposable {
  readonly #clients: InstanceType<typeof Client>[] = [];
  readonly #timers: ReturnType<typeof setInterval>[] = [];
  /** Gets what agents receive. */
  onDelta: (agent: number, received: Received) => void = () => {};

  constructor(count: number, address: string, onEnd: (reason: string) => void) {
    for (let agent = 0; agent < count; agent++) {
      const client = new Client(address, credentials.createInsecure(), {
        ...MESSAGE_LIMITS,
        ...KEEPALIVE,
        "grpc.use_local_subchannel_pool": 1,
      });
      this.#clients.push(client);
      const call = client.streamConfig() as Stream;
      const send = (message: AgentMessage["message"]) => void call.write({ message });
      const value = {
        node: `agent-${agent}`,
        softwareVersion: "bench",
        held: undefined,
        resources: [],
        addresses: [],
      };
      send({ $case: "hello", value });
      call.on("data", ({ delta, bytes }) => {
        const kinds = new Map<string, number>();
        for (const { kind } of [...delta.upserts, ...delta.removals]) {
          kinds.set(Kind[kind], (kinds.get(Kind[kind]) ?? 0) + 1);
        }
        send({ $case: "ack", value: { nonce: delta.nonce, version: delta.version } });
        this.onDelta(agent, { bytes, at: performance.now(), kinds });
      });
      call.on("error", (error: Error) => onEnd(error.message));
      const status = {
        dataplaneConnected: true,
        dataplaneVersion: undefined,
        listenerProblems: [],
        addressProblems: [],
        leaving: false,
      };
      this.#timers.push(
        setInterval(() => send({ $case: "status", value: status }), ALIVE),
      );
    }
  }

  [Symbol.dispose](): void {
    for (const timer of this.#timers) clearInterval(timer);
    for (const client of this.#clients) client.close();
  }
}
