import {
  type handleBidiStreamingCall,
  Server,
  status,
  type UntypedServiceImplementation,
} from "@grpc/grpc-js";
import {
  type ConfigMessage,
  type ConfigReply,
  DataplaneControlService,
  type Delta,
  type ExplainReply,
  type StatsReply,
} from "../../proto/gen/novaedge/v1/distribution.ts";
import { messageOf } from "../../common/errors.ts";
import { bindServer, MESSAGE_LIMITS } from "../../common/grpc.ts";
import { versionText } from "../../common/delta/resources.ts";
import type { Logger } from "../../common/log.ts";
import { VERSION } from "../../common/version.ts";
import type { ListenerReport } from "../worker/messages.ts";
import type { ConfigStore } from "./config_store.ts";

/** What the server needs of the dataplane. */
export interface Control {
  readonly config: ConfigStore;
  readonly log: Logger;
  stats(): Promise<StatsReply>;
  explain(method: string, url: string, headers: Record<string, string>): Promise<string>;
  listeners(): ListenerReport[];
  setLogLevel(level: string): void;
  injectFault(worker: number, fault: string): void;
}

/** The gRPC server on the unix socket: receives configuration, gives statistics. */
export class ControlServer {
  readonly #server = new Server({
    ...MESSAGE_LIMITS,
  });
  readonly #control: Control;
  readonly #streams = new Set<(reports: ListenerReport[]) => void>();

  constructor(control: Control) {
    this.#control = control;
    this.#server.addService(DataplaneControlService, this.#handlers());
  }

  /** Listens on a unix socket that only its owner and group may use. */
  listen(socket: string): Promise<void> {
    return bindServer(this.#server, `unix:${socket}`);
  }

  /** Tells every agent how the listeners stand. */
  listenersChanged(): void {
    const reports = this.#control.listeners();
    for (const stream of this.#streams) stream(reports);
  }

  stop(): void {
    this.#server.forceShutdown();
  }

  #handlers(): UntypedServiceImplementation {
    const control = this.#control;
    const failed = (error: unknown) => ({ code: status.INTERNAL, message: messageOf(error) });
    const configure: handleBidiStreamingCall<ConfigMessage, ConfigReply> = (call) => {
      const { store } = control.config;
      const write = (message: ConfigReply["message"]) => void call.write({ message });
      const onListeners = (reports: ListenerReport[]) =>
        write({
          $case: "listeners",
          value: {
            problems: reports.filter(({ problem }) => problem !== "").map((
              { listener, problem },
            ) => ({ listener, reason: problem })),
          },
        });
      this.#streams.add(onListeners);
      write({
        $case: "hello",
        value: {
          addresses: [],
          node: "",
          softwareVersion: VERSION,
          held: store.version,
          resources: store.refs(),
        },
      });
      onListeners(control.listeners());
      call.on("data", async (message: ConfigMessage) => {
        if (message.message?.$case === "delta") write(await this.#apply(message.message.value));
      });
      const gone = () => this.#streams.delete(onListeners);
      call.on("end", () => {
        gone();
        call.end();
      });
      call.on("error", gone);
      call.on("cancelled", gone);
    };
    return {
      configure,
      stats: (_call: unknown, done: (error: unknown, reply?: StatsReply) => void) =>
        control.stats().then((reply) => done(null, reply), (error) => done(failed(error))),
      explain: (
        call: { request: { method: string; url: string; headers: Record<string, string> } },
        done: (error: unknown, reply?: ExplainReply) => void,
      ) =>
        control.explain(call.request.method, call.request.url, call.request.headers).then(
          (json) => done(null, { json }),
          (error) => done(failed(error)),
        ),
      setLogLevel: (
        call: { request: { level: string } },
        done: (e: unknown, r?: unknown) => void,
      ) => {
        control.setLogLevel(call.request.level);
        done(null, {});
      },
      injectFault: (
        call: { request: { worker: number; fault: string } },
        done: (error: unknown, reply?: unknown) => void,
      ) => {
        try {
          control.injectFault(call.request.worker, call.request.fault);
          done(null, {});
        } catch (error) {
          done({ code: status.PERMISSION_DENIED, message: messageOf(error) });
        }
      },
    } as unknown as UntypedServiceImplementation;
  }

  async #apply(delta: Delta): Promise<ConfigReply["message"]> {
    const { config, log } = this.#control;
    const { nonce, version } = delta;
    if (version !== undefined && !config.store.accepts(version)) {
      const reason = `older than the held version ${versionText(config.store.version)}`;
      const refusals = delta.upserts.map(({ kind, name, hash }) => ({
        resource: { kind, name, hash },
        reason,
      }));
      return { $case: "nack", value: { nonce, version, refusals } };
    }
    const before = new Set(config.certificates.expired(Date.now()));
    const refusals = await config.apply(delta);
    for (const certificate of config.certificates.expired(Date.now())) {
      if (!before.has(certificate)) {
        log.warn({ certificate }, "certificate has expired; it still serves");
      }
    }
    for (const { resource, reason } of refusals) {
      log.warn({ kind: resource?.kind, resource: resource?.name, reason }, "resource refused");
    }
    log.debug({
      version: versionText(version),
      upserts: delta.upserts.length,
      removals: delta.removals.length,
    }, "configuration applied");
    return refusals.length === 0
      ? { $case: "ack", value: { nonce, version } }
      : { $case: "nack", value: { nonce, version, refusals } };
  }
}
