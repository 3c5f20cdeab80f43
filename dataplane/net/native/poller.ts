import { setImmediate } from "node:timers";
import { contain, type Contained } from "../../loop/containment.ts";
import { outside } from "../../loop/outside.ts";
import type { Descriptor, Libc, Memory } from "./libc.ts";

/** Something whose descriptor is watched. */
export interface Watched extends Contained {
  /** @param happened bits of `HAPPENED` */
  onEvents(happened: number): void;
}

/** What may have happened (sys/epoll.h). */
export const HAPPENED = {
  readable: 0x1,
  writable: 0x4,
  error: 0x8,
  hangUp: 0x10,
  /** The peer has finished sending. */
  finished: 0x2000,
} as const;

/** The peer's end, or that of all, is among what there is to read. */
export const GONE = HAPPENED.finished | HAPPENED.hangUp | HAPPENED.error;

/** Told once for each change (EPOLLET): no call is needed to stop or to go on. */
const INTEREST = (HAPPENED.readable | HAPPENED.writable | HAPPENED.finished | 0x8000_0000) >>> 0;

/** Events of one look. */
const BATCH = 256;
/**
 * Milliseconds that one look waits when the one before found nothing. Waiting right here costs a tenth of waiting
 * elsewhere and wakes at once; what is not traffic (messages, timers, promises) is at most that late.
 */
const NAP = 1;
/** Milliseconds of looks that follow each other before everybody else of the thread has a turn, which costs as well. */
const TURN = 0.5;
/** Milliseconds between two looks that go to those with work left: thirty transfers would take thirty. */
const WORK = 2;
/**
 * Milliseconds after which the thread waits elsewhere all the same, as long as a nap: the runtime looks at its own
 * sockets and timers only when it has nothing else to do, or once in 61 turns.
 */
const PARK = 2;
/** Naps in vain before the thread waits elsewhere, where nothing is late. */
const NAPS = 5;
/** Milliseconds that it waits there at most: it is woken when there is something to do. */
const WAIT = 10_000;
/** `epoll_event` is packed on x86_64 only. */
const [SIZE, DATA] = Deno.build.arch === "x86_64" ? [12, 4] : [16, 8];

/**
 * The events of one thread's descriptors. While there is something to do it looks again after everything else that
 * is ready; otherwise it waits where that keeps nobody else waiting.
 */
export class Poller {
  readonly #libc: Libc;
  readonly #now: () => number;
  readonly #poller: Descriptor;
  /** Not of the runtime's: a wait goes on when the thread has died. */
  readonly #events: Memory;
  readonly #view: DataView;
  readonly #event = new Uint8Array(SIZE);
  readonly #watched: (Watched | undefined)[] = [];
  /** Numbers of those that are watched, by descriptor: an event of one that was closed is told by it. */
  readonly #serials: number[] = [];
  #serial = 0;
  /** Those that have more to do than one turn allows, in the order in which they go on. */
  readonly #busy = new Set<Watched>();
  #vain = 0;
  /** Wakes the thread where it waits. */
  readonly #bell: Descriptor;
  #waiting = false;
  /** When the thread waited elsewhere last. */
  #waited = 0;
  #running = false;
  #stopped = false;
  #inBatch = false;
  readonly #afterBatch: (() => void)[] = [];
  readonly #turn = () => this.#look();

  /**
   * @param now milliseconds, monotonic
   * @throws {SystemError}
   */
  constructor(libc: Libc, now: () => number) {
    this.#libc = libc;
    this.#now = now;
    this.#events = libc.allocate(BATCH * SIZE);
    this.#view = new DataView(this.#events.bytes.buffer);
    this.#poller = libc.poller();
    this.#bell = libc.eventCounter();
    this.add(this.#bell, { onEvents: () => libc.lower(this.#bell), onFault() {} });
  }

  /** @throws {SystemError} */
  add(descriptor: Descriptor, watched: Watched): void {
    const serial = this.#serial = (this.#serial + 1) >>> 0;
    const view = new DataView(this.#event.buffer);
    view.setUint32(0, INTEREST, true);
    view.setInt32(DATA, descriptor, true);
    view.setUint32(DATA + 4, serial, true);
    this.#libc.watch(this.#poller, descriptor, this.#event);
    this.#watched[descriptor] = watched;
    this.#serials[descriptor] = serial;
    this.#start();
  }

  /** Hands a descriptor to another, who hears what happens from now on. */
  pass(descriptor: Descriptor, watched: Watched): void {
    this.#watched[descriptor] = watched;
  }

  /** Closes a descriptor: nothing is heard of it any more, also not of this turn. */
  close(descriptor: Descriptor): void {
    this.#watched[descriptor] = undefined;
    this.#libc.close(descriptor);
  }

  /** Calls it soon with nothing new, behind those that wait for the same: it has work left. */
  again(watched: Watched): void {
    this.#busy.add(watched);
    if (this.#waiting) this.#libc.raise(this.#bell);
  }

  /** Runs something soon, in turn with those that have work left. */
  later(run: () => void): void {
    this.again({ onEvents: run, onFault() {} });
  }

  /** Runs something behind the events at hand, or soon when there are none. */
  afterBatch(run: () => void): void {
    if (this.#inBatch) this.#afterBatch.push(run);
    else setImmediate(run);
  }

  /** Watches nothing any more; descriptors that were watched stay open. */
  stop(): void {
    if (this.#stopped) return;
    this.#stopped = true;
    if (this.#waiting) this.#libc.raise(this.#bell);
    else if (this.#inBatch) this.#afterBatch.push(() => this.#end());
    else this.#end();
  }

  #end(): void {
    this.#libc.close(this.#poller);
    this.#libc.close(this.#bell);
    this.#libc.free(this.#events);
  }

  #start(): void {
    if (this.#running) return;
    this.#running = true;
    setImmediate(this.#turn);
  }

  #look(): void {
    if (this.#stopped) return;
    const start = this.#now();
    const others = outside.waiting > 0;
    if (others || start - this.#waited > PARK) {
      void this.#wait(this.#busy.size > 0 ? 0 : others || this.#vain >= NAPS ? WAIT : NAP);
      return;
    }
    const until = start + TURN;
    do {
      if (this.#stopped) return;
      const nap = this.#vain > 0 && this.#busy.size === 0 ? NAP : 0;
      const found = this.#libc.poll(this.#poller, this.#events, BATCH, nap);
      if (found <= 0 && this.#busy.size === 0) {
        if (this.#vain++ < NAPS) break;
        void this.#wait(WAIT);
        return;
      }
      this.#vain = nap > 0 ? 1 : 0;
      this.#handle(found);
    } while (this.#now() < until);
    setImmediate(this.#turn);
  }

  async #wait(milliseconds: number): Promise<void> {
    this.#waiting = true;
    const found = await this.#libc.pollLater(this.#poller, this.#events, BATCH, milliseconds);
    this.#waiting = false;
    this.#waited = this.#now();
    if (this.#stopped) {
      this.#end();
      return;
    }
    if (found > 0) this.#vain = 0;
    else this.#vain++;
    this.#handle(found);
    this.#look();
  }

  #handle(found: number): void {
    this.#inBatch = true;
    for (let i = 0; i < found; i++) {
      const at = i * SIZE;
      const descriptor = this.#view.getInt32(at + DATA, true);
      const watched = this.#watched[descriptor];
      // Closed earlier in this turn, and the number may be another's by now.
      if (watched === undefined) continue;
      if (this.#serials[descriptor] !== this.#view.getUint32(at + DATA + 4, true)) continue;
      this.#tell(watched, this.#view.getUint32(at, true));
    }
    this.#goOn();
    // What is run may ask for more.
    while (this.#afterBatch.length > 0) for (const run of this.#afterBatch.splice(0)) run();
    this.#inBatch = false;
  }

  /** Gives those with work left their turns; new events come first when they take long. */
  #goOn(): void {
    let left = this.#busy.size;
    if (left === 0) return;
    const until = this.#now() + WORK;
    for (const watched of this.#busy) {
      this.#busy.delete(watched);
      this.#tell(watched, 0);
      // Those that came back stand behind the others.
      if (--left === 0 || this.#now() >= until) return;
    }
  }

  #tell(watched: Watched, happened: number): void {
    try {
      watched.onEvents(happened);
    } catch (error) {
      contain(error, watched);
    }
  }
}
