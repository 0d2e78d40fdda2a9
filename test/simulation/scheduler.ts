import { hash } from 'node:crypto';

/** A possible next step. `run` performs it; a printed history shows the label. */
export interface Transition {
  readonly label: string;
  /** A fault, or an aborted write that takes effect: chosen more rarely than other steps. */
  readonly rare?: 'harm' | 'late';
  /** It is chosen when there is no other step. */
  readonly isSlow?: boolean;
  /** The actor of the call; absent for an outside effect. */
  readonly actor?: Actor;
  /** Name of the actor that starts with it. */
  readonly begins?: string;
  readonly run: () => void;
}

/** How a call fails. */
export type Fault =
  /** It does not take effect, and the caller gets an error. */
  | 'fails'
  /** It takes effect, and the caller gets an error. */
  | 'answerLost'
  /** The caller gets an error, and it takes effect later. */
  | 'late'
  /** It gets no answer: it ends when its caller aborts it, and a write is then `late`. */
  | 'hangs';

interface Pending {
  readonly actor: Actor;
  readonly label: string;
  hangs: boolean;
  readonly effect: () => unknown;
  readonly writes: boolean;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
}

/** An aborted write takes effect within this time, or never. Milliseconds. */
const LATE_MS = 60_000;

interface LateWrite {
  readonly label: string;
  readonly effect: () => unknown;
  readonly until: number;
}

/**
 * Between two lists an actor handles each version separately: it continues in the same way, whichever of its calls about
 * different versions was answered first.
 */
const TOGETHER = /^list /;

/** A caller: one function of the app, on one instance. */
export class Actor {
  readonly name: string;
  /** Its answers so far, in this order: the same answers lead to the same steps. */
  heard = '';
  /** The same, up to the last list. */
  #before = '';
  readonly #since: string[] = [];
  dead = false;
  done = false;
  constructor(name: string) {
    this.name = name;
  }

  /** Whether it has been answered something, and has not ended. */
  get isAtIt(): boolean {
    return this.heard !== '' && !this.done && !this.dead;
  }

  /** What it has been answered so far, in an order that does not tell which of several versions came first. */
  get memory(): string {
    return hash('md5', this.#before + [...this.#since].sort().join('\n'), 'base64');
  }

  hear(what: string): void {
    this.heard = hash('md5', this.heard + what, 'base64');
    this.#since.push(what);
    if (!TOGETHER.test(what)) return;
    this.#before = this.memory;
    this.#since.length = 0;
  }
}

export interface SchedulerOptions {
  /** So many calls may go wrong at most. */
  readonly faults: number;
  readonly kinds?: readonly Fault[];
  /** Only calls with such a label do. */
  readonly aim?: RegExp;
  /** Milliseconds; without it no time passes. */
  readonly now?: () => number;
}

/** An answer that did not come: what the SDKs throw then. */
export function noAnswer(): Error {
  return Object.assign(new Error('no answer came'), { name: 'AbortError', code: 'ETIMEDOUT' });
}

/**
 * Runs code whose every call to the outside is a step: a call is made when it is chosen, and so is what goes wrong with
 * it. Between two steps everything runs that can run without an answer.
 */
export class Scheduler {
  #pending: Pending[] = [];
  #late: LateWrite[] = [];
  #faults: number;
  /** How often something has gone wrong so far: by a fault, or because an actor was killed. */
  harms = 0;
  /** How many late writes have taken effect, or were turned down. */
  landings = 0;
  readonly #aim: RegExp;
  readonly #now: () => number;
  readonly #kinds: readonly Fault[];
  /** What has happened, step by step. */
  readonly history: string[] = [];

  constructor(options: SchedulerOptions) {
    this.#aim = options.aim ?? /./;
    this.#faults = options.faults;
    this.#kinds = options.kinds ?? ['fails', 'answerLost', 'late'];
    this.#now = options.now ?? (() => 0);
  }

  /** A call of the actor to a port. A call that the signal aborts may still take effect. */
  call<T>(actor: Actor, label: string, effect: () => T, writes = false, signal?: AbortSignal): Promise<T> {
    if (actor.dead) return new Promise(() => {});
    return new Promise<T>((resolve, reject) => {
      const ends = { resolve: resolve as (value: unknown) => void, reject };
      const call: Pending = { actor, label, hangs: false, effect, writes, ...ends };
      this.#pending.push(call);
      signal?.addEventListener('abort', () => this.#giveUp(call), { once: true });
    });
  }

  /** Ends the lives of actors at once: what they have called may still take effect, and they hear of nothing any more. */
  kill(actors: readonly Actor[], takesEffect: boolean): void {
    for (const actor of actors) actor.dead = true;
    this.harms += 1;
    for (const { label, effect, writes } of this.#pending.filter((call) => actors.includes(call.actor))) {
      if (writes && takesEffect) this.#late.push({ label, effect, until: this.#now() + LATE_MS });
    }
    this.#pending = this.#pending.filter((call) => !actors.includes(call.actor));
  }

  /** Whether such a call is under way. */
  isUnderWay(label: RegExp): boolean {
    return this.#pending.some((call) => label.test(call.label));
  }

  /** Whether a call is under way that will be answered. */
  get busy(): boolean {
    return this.#pending.some(({ hangs }) => !hangs);
  }

  /** The possible next steps of the pending calls. */
  transitions(): Transition[] {
    const ends: Transition[] = [];

    for (const call of this.#pending.filter(({ hangs }) => !hangs)) {
      const { actor } = call;
      ends.push({ label: `${actor.name}: ${call.label}`, actor, run: () => this.#end(call, undefined) });

      if (this.#faults === 0 || !this.#aim.test(call.label)) continue;

      for (const fault of this.#kinds) {
        if (!call.writes && fault !== 'fails' && fault !== 'hangs') continue;
        const label = `${actor.name}: ${call.label} ${fault}`;
        ends.push({ label, rare: 'harm', actor, run: () => this.#end(call, fault) });
      }
    }

    for (const late of this.#late) {
      ends.push({ label: `late: ${late.label}`, rare: 'late', run: () => this.#land(late) });
    }

    return ends;
  }

  /** Whether nothing has gone wrong so far: no fault, and no actor killed. */
  get unharmed(): boolean {
    return this.harms === 0;
  }

  /** When the next late write takes effect, if no choice does so before. */
  nextDeadline(): number {
    return Math.min(...this.#late.map(({ until }) => until));
  }

  /** Late writes whose time has come take effect. */
  passDeadlines(): void {
    for (const late of this.#late.filter(({ until }) => until <= this.#now())) this.#land(late);
  }

  /** All aborted writes take effect, in the order in which they were aborted. */
  landAll(): void {
    for (const late of [...this.#late]) this.#land(late);
  }

  /** Runs everything that does not wait for a pending call. */
  async settle(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
  }

  /** The part of the state that decides the possible continuations. */
  fingerprint(): string {
    const pending = this.#pending.map(({ actor, label }) => `${actor.name}:${label}`).sort();
    return `${pending.join(';')}|${this.#late.map(({ label }) => label).join(';')}|${this.#faults}`;
  }

  #land(late: LateWrite): void {
    this.#late = this.#late.filter((other) => other !== late);
    this.landings += 1;
    try {
      late.effect();
    } catch {
      // The caller that was refused is gone.
    }
  }

  /** Its caller does not wait any more. */
  #giveUp(call: Pending): void {
    if (!this.#pending.includes(call)) return;
    this.#faults += 1;
    this.#end(call, call.writes ? 'late' : 'fails');
  }

  #end(call: Pending, fault: Fault | undefined): void {
    if (fault === 'hangs') {
      call.hangs = true;
      this.#faults -= 1;
      this.harms += 1;

      return;
    }

    this.#pending = this.#pending.filter((other) => other !== call);

    if (fault) {
      this.#faults -= 1;
      this.harms += 1;
    }

    if (fault === 'late') this.#late.push({ label: call.label, effect: call.effect, until: this.#now() + LATE_MS });

    try {
      const answer = fault === undefined || fault === 'answerLost' ? call.effect() : undefined;

      if (fault) throw noAnswer();

      call.actor.hear(`${call.label}=${JSON.stringify(answer)}`);
      call.resolve(answer);
    } catch (error) {
      call.actor.hear(`${call.label}!${(error as Error).message}`);
      call.reject(error);
    }
  }
}
