import { TokenBucket } from '../../local/azure/throttle/token-bucket.ts';
import { handOut, MOVE_CALLS } from '../../src/accounts/dispatcher.ts';
import { awaitTurn, putOff } from '../../src/accounts/put-off.ts';
import { Turns } from '../../src/azure/turns.ts';
import type { AccountWork } from '../../src/work/messages.ts';
import type { Outcome } from '../../src/work/outcome.ts';

/** What instances that are held up now and then do with the accounts of one subscription and region. */
export interface HeldUp {
  readonly accounts: number;
  readonly instances: number;
  readonly seed: number;
  /** How often all of them are held up (on average), and for how long at the most. Milliseconds. */
  readonly everyMs: number;
  readonly mostMs: number;
  /** How far the clocks of the others are from that of the first one, at the most. Milliseconds. */
  readonly apartMs?: number;
}

const START_MS = 1_795_600_000_000;
const PLACE = { subscriptionId: 's', location: 'westeurope' };
const SHARE = 0.8;
/** From its turn to the account's read, from there to its write, and to the end, on average. Milliseconds. */
const STEPS_MS = [100, 200, 100] as const;
/** As host.json has it. */
const QUEUE = { batch: 16, threshold: 8, longestMs: 2_000 };

/** Moves them all; how long that takes, and what Azure refuses. Nothing waits for real, and a seed is always the same. */
export async function moveAll(options: HeldUp): Promise<{ readonly seconds: number; readonly refused: number }> {
  const time = new Time();
  const random = seeded(options.seed);
  const azure = new Budgets(time);
  const queue: Waiting[] = [];
  const model: Model = { time, random, azure, queue, moved: 0, heldUntilMs: 0 };
  const instances = Array.from({ length: options.instances }, (_, index) => {
    const aheadMs = index === 0 ? 0 : Math.round((2 * random() - 1) * (options.apartMs ?? 0));
    return new Instance(model, aheadMs);
  });
  for (let n = 0; n < options.accounts; n += 1) instances[0]?.find();
  for (const instance of instances) void instance.listen();
  void holdUp(model, options);
  await time.pass(() => model.moved === options.accounts);
  return { seconds: time.nowMs / 1000, refused: azure.refused };
}

interface Waiting {
  readonly fromMs: number;
  readonly work: AccountWork;
}

interface Model {
  readonly time: Time;
  readonly random: () => number;
  readonly azure: Budgets;
  readonly queue: Waiting[];
  moved: number;
  heldUntilMs: number;
}

async function holdUp(model: Model, { everyMs, mostMs }: HeldUp): Promise<void> {
  for (;;) {
    await model.time.sleep(-Math.log(1 - model.random()) * everyMs);
    model.heldUntilMs = Math.max(model.heldUntilMs, model.time.nowMs + Math.ceil(mostMs * model.random()));
  }
}

/** One instance of the app, with its host, its clock, and what it knows of turns. */
class Instance {
  readonly #model: Model;
  readonly #aheadMs: number;
  readonly #turns = new Turns(SHARE);
  readonly #schedule = new Turns(SHARE);
  #working = 0;

  constructor(model: Model, aheadMs: number) {
    this.#model = model;
    this.#aheadMs = aheadMs;
  }

  /** Finds an account, and puts it to work. */
  find(): void {
    const { delaySeconds, ...laidOut } = handOut(this.#schedule, PLACE, MOVE_CALLS, this.#nowMs());
    this.#send(laidOut as AccountWork, delaySeconds);
  }

  /** Takes messages for as long as anybody asks. */
  async listen(): Promise<void> {
    let pauseMs = 100;
    for (;;) {
      const batch = this.#receive();
      for (const work of batch) {
        this.#working += 1;
        void this.#process(work).finally(() => {
          this.#working -= 1;
        });
      }
      if (batch.length === 0) await this.#sleep(pauseMs);
      else while (this.#working > QUEUE.threshold) await this.#sleep(20);
      pauseMs = batch.length > 0 ? 100 : Math.min(QUEUE.longestMs, pauseMs * 1.3);
    }
  }

  #receive(): AccountWork[] {
    const { queue, time } = this.#model;
    const batch = queue.filter(({ fromMs }) => fromMs <= time.nowMs).slice(0, QUEUE.batch);
    for (const waiting of batch) queue.splice(queue.indexOf(waiting), 1);
    return batch.map(({ work }) => work);
  }

  /** As `reconcileAccount` does it. */
  async #process(work: AccountWork): Promise<void> {
    const { azure, random } = this.#model;
    const services = {
      turns: this.#turns,
      schedule: this.#schedule,
      random,
      now: () => new Date(this.#nowMs()),
      sleep: (ms: number) => this.#sleep(ms),
    };
    const turned = await awaitTurn(PLACE, MOVE_CALLS, services, work.turn);
    if (turned.tooFarMs !== undefined) {
      this.#putBack(
        putOff(work, PLACE, MOVE_CALLS, { waitMs: turned.tooFarMs, why: '', unused: MOVE_CALLS }, services),
      );
      return;
    }
    const [untilRead, untilWritten, untilDone] = STEPS_MS.map((ms) => ms * (0.3 + 1.4 * random()));
    await this.#sleep(untilRead ?? 0);
    let refusedMs = azure.read();
    await this.#sleep(untilWritten ?? 0);
    if (refusedMs === 0) refusedMs = azure.write();
    await this.#sleep(untilDone ?? 0);
    if (refusedMs === 0) {
      this.#model.moved += 1;
      return;
    }
    for (const each of [this.#turns, this.#schedule]) each.refused(PLACE, 'call', this.#nowMs(), refusedMs);
    this.#turns.release(PLACE, { writes: 1 }, turned.turnMs);
    if (work.turn !== undefined) this.#schedule.release(PLACE, { writes: 1 }, work.turn);
    this.#putBack(putOff({ ...work, turn: undefined }, PLACE, MOVE_CALLS, { waitMs: refusedMs, why: '' }, services));
  }

  #putBack(outcome: Outcome): void {
    if (outcome.outcome === 'retry') this.#send(outcome.with as AccountWork, Math.max(1, outcome.delaySeconds ?? 0));
  }

  #send(work: AccountWork, delaySeconds: number): void {
    this.#model.queue.push({ fromMs: this.#model.time.nowMs + delaySeconds * 1000, work });
  }

  #nowMs(): number {
    return START_MS + this.#model.time.nowMs + this.#aheadMs;
  }

  /** For longer, when all are held up. */
  async #sleep(ms: number): Promise<void> {
    const { time } = this.#model;
    await time.sleep(ms);
    while (time.nowMs < this.#model.heldUntilMs) await time.sleep(this.#model.heldUntilMs - time.nowMs);
  }
}

/** What the Storage resource provider takes. */
class Budgets {
  readonly #time: Time;
  readonly #reads = [new TokenBucket(800, 800 / 300, 0)];
  readonly #writes = [new TokenBucket(10, 10, 0), new TokenBucket(1_200, 1_200 / 3_600, 0)];
  refused = 0;

  constructor(time: Time) {
    this.#time = time;
  }

  /** For how long it refuses, in milliseconds; 0: it does not. */
  read(): number {
    return this.#take(this.#reads);
  }

  write(): number {
    return this.#take(this.#writes);
  }

  #take(buckets: readonly TokenBucket[]): number {
    const { nowMs } = this.#time;
    const waitMs = Math.max(...buckets.map((bucket) => bucket.waitMs(nowMs)));
    if (waitMs > 0) this.refused += 1;
    else for (const bucket of buckets) bucket.take(nowMs);
    return Math.ceil(waitMs / 1000) * 1000;
  }
}

/** Time that passes as soon as everybody waits for it. */
class Time {
  nowMs = 0;
  readonly #asleep = new Map<number, (() => void)[]>();

  sleep(ms: number): Promise<void> {
    const atMs = this.nowMs + Math.max(0, Math.ceil(ms));
    return new Promise((wake) => void this.#asleep.set(atMs, [...(this.#asleep.get(atMs) ?? []), wake]));
  }

  async pass(until: () => boolean): Promise<void> {
    for (;;) {
      await new Promise((resolve) => setImmediate(resolve));
      if (until()) return;
      const nextMs = Math.min(...this.#asleep.keys());
      const due = this.#asleep.get(nextMs) ?? [];
      this.#asleep.delete(nextMs);
      this.nowMs = nextMs;
      for (const wake of due) wake();
    }
  }
}

function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
