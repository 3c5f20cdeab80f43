import type { Buffer } from "node:buffer";
import { WebSocket } from "ws";
import { SERVER_CLOSE, type SocketFault } from "../backends/websocket.ts";
import { wholeContent } from "../content.ts";
import { chance, pause, pick, roll, rollLength } from "../dice.ts";
import { nextId } from "../plan.ts";
import { watched } from "../watchdog.ts";
import type { World } from "../world.ts";

const MOST = 200_000;
const MESSAGES = 30;
const THINK = 40;
const NORMAL = 1000;
const FAULTS: readonly SocketFault[] = ["reset-before", "refuse", "reset", "close"];

interface Talk {
  readonly id: number;
  readonly messages: number;
  readonly fault: SocketFault;
  readonly faultAt: number;
  /** Message after which the client resets; -1 for never. */
  readonly abortAt: number;
}

interface Outcome {
  opened: boolean;
  /** Status of an answer that was no 101. */
  status: number;
  right: number;
  wrong: boolean;
  /** Code of the close, 1006 when the connection ended without one. */
  code: number;
}

/** One user of WebSocket: sockets one after the other, each with echoes of several messages. */
export async function webSocketUser(world: World, secure: boolean): Promise<void> {
  const { gate, ledger } = world;
  const name = secure ? "WebSocket over TLS" : "WebSocket";
  while (await gate.enter()) {
    const talk = rollTalk();
    const { socket, outcome } = converse(world, secure, talk);
    try {
      const came = await watched(
        ledger,
        () => `${name} ${JSON.stringify(talk)}`,
        outcome,
        () => socket.terminate(),
      );
      judge(world, name, talk, came);
    } finally {
      gate.leave();
    }
    await pause(roll(0, THINK));
  }
}

function rollTalk(): Talk {
  const messages = roll(1, MESSAGES);
  const turn = Math.random();
  return {
    id: nextId(),
    messages,
    fault: turn < 0.2 ? pick(FAULTS) : "none",
    faultAt: roll(0, messages - 1),
    abortAt: turn > 0.85 ? roll(0, messages - 1) : -1,
  };
}

function converse(
  { ports, links }: World,
  secure: boolean,
  talk: Talk,
): { socket: WebSocket; outcome: Promise<Outcome> } {
  const origin = secure ? `wss://127.0.0.1:${ports.tls}` : `ws://127.0.0.1:${ports.plain}`;
  const socket = new WebSocket(`${origin}/ws/${talk.id}?fault=${talk.fault}&at=${talk.faultAt}`, {
    rejectUnauthorized: false,
  });
  const outcome: Outcome = { opened: false, status: 0, right: 0, wrong: false, code: 0 };
  const sizes = Array.from({ length: talk.messages }, () => rollLength(MOST));
  const content = (i: number) => wholeContent(talk.id * 100 + i, sizes[i]);
  // What went on in the open is what a crash of a worker may end.
  let link: ReturnType<typeof links.opened> | null = null;
  socket.on("open", async () => {
    outcome.opened = true;
    link = links.opened();
    for (let i = 0; i < talk.messages && socket.readyState === WebSocket.OPEN; i++) {
      socket.send(content(i));
      if (chance(0.3)) await pause(roll(0, 30));
    }
  });
  socket.on("message", (data: Buffer) => {
    if (outcome.right >= talk.messages || !data.equals(content(outcome.right))) {
      outcome.wrong = true;
    } else outcome.right++;
    // Messages that came in the same read are still delivered.
    if (outcome.right === talk.abortAt + 1) socket.terminate();
    else if (outcome.right === talk.messages) socket.close(NORMAL);
  });
  return {
    socket,
    outcome: new Promise((resolve) => {
      socket.on("unexpected-response", (_request: unknown, response: { statusCode: number }) => {
        outcome.status = response.statusCode;
        socket.terminate();
      });
      socket.on("error", () => {});
      socket.on("close", (code: number) => {
        outcome.code = code;
        if (link !== null) links.closed(link, code === 1006 && talk.abortAt < 0);
        resolve(outcome);
      });
    }),
  };
}

function judge({ ledger, links }: World, name: string, talk: Talk, outcome: Outcome): void {
  const wrong = (what: string) =>
    ledger.violate(`${name}: ${what}: ${JSON.stringify(outcome)} for ${JSON.stringify(talk)}`);
  const { fault, faultAt, abortAt, messages } = talk;
  const { opened, status, right, code } = outcome;
  if (outcome.wrong) return wrong("foreign or broken message");
  const faulty = fault !== "none";
  if (right === messages && code === NORMAL && !faulty) ledger.ended(name, "right");
  else if (code === SERVER_CLOSE && fault === "close" && right === faultAt) {
    ledger.ended(name, "right", "server's close");
  } else if (abortAt >= 0 && right > abortAt && code === 1006) ledger.ended(name, "client abort");
  else if (fault === "refuse" && status === 403) ledger.ended(name, "right", "403");
  else if (fault === "reset-before" && status === 502) ledger.ended(name, "backend fault", "502");
  else if (fault === "reset" && opened && code === 1006 && right <= faultAt) {
    ledger.ended(name, "backend fault", "cut");
  } else if (links.inCrash && status === 0) ledger.ended(name, "worker crash");
  else wrong("ended without a cause");
}
