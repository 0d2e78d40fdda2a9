import { reconcileAndNote } from '../accounts/reconcile-and-note.ts';
import { lookAtKey } from '../accounts/reconcile-key.ts';
import { timeBoxed, untilAborted } from '../azure/deadline.ts';
import { SharedReads } from '../azure/shared-reads.ts';
import { enqueueKey } from '../events/enqueue-key.ts';
import type { KeyEvent } from '../events/key-vault-event.ts';
import type { Log } from '../log.ts';
import { followRotation } from '../rollout/follow-rotation.ts';
import type { Services } from '../services.ts';
import { HOUR_MS } from '../time/spans.ts';
import { AtMostEvery } from '../work/at-most-every.ts';
import { AtOnce, SharedRoom } from '../work/at-once.ts';
import {
  ACCOUNT_WORK,
  KEY_WORK,
  type KeyWork,
  parseAccountWork,
  parseKeyWork,
  parseRotationWork,
  type RotationWork,
  type Work,
} from '../work/messages.ts';
import { DONE, type Outcome } from '../work/outcome.ts';
import { processWork } from '../work/process.ts';
import { workSpan } from './spans.ts';
import { outcomeBy, TIME_LIMITS } from './time-limits.ts';

/** Accounts of a key that are looked at where they are found; more than Storage takes at once in one place wait in the queue. */
const ACCOUNTS_AT_ONCE = { own: 2, beside: 8 };
/** Of all keys, beside the first ones of each: twenty keys at once would have two hundred connections to Azure open. */
const shared = new SharedRoom(30);

const reports = new AtMostEvery(HOUR_MS);

/** Looks at keys that are under way in this instance. */
const looks = new SharedReads<{ readonly outcome: Outcome; readonly attempt: number }>();

/** A look at a key whose first accounts are looked at right away, instead of waiting for a queue that was idle. */
export class KeyLookAtOnce {
  readonly #services: Services;
  readonly #log: Log;
  readonly #accounts: AtOnce;
  readonly #follow: AtOnce;

  constructor(services: Services, log: Log) {
    this.#services = services;
    this.#log = log;
    this.#accounts = new AtOnce(services.heldMessages, ACCOUNTS_AT_ONCE.own, {
      pieces: ACCOUNTS_AT_ONCE.beside,
      of: shared,
    });
    this.#follow = new AtOnce(services.heldMessages, 1);
  }

  /**
   * Messages about one key that come while it is looked at share the next look, which begins after all of them have come.
   * Whoever leads it sees to what becomes of it, and has a message in the queue until then; the others are done with it.
   */
  async run(work: KeyWork): Promise<Outcome> {
    const { subscriptions, waiter } = work;
    if (subscriptions || waiter !== undefined) return this.#run(work);
    let leads = false;
    const { outcome, attempt } = await looks.read(work.key.toLowerCase(), async () => {
      leads = true;
      return { outcome: await this.#run(work), attempt: work.attempt };
    });
    // One that has been tried more often is given up sooner.
    return leads || (outcome.outcome === 'retry' && work.attempt < attempt) ? outcome : DONE;
  }

  #run(work: KeyWork): Promise<Outcome> {
    const services = {
      ...this.#services,
      atOnce: (account: Parameters<typeof reconcileAndNote>[0]) =>
        this.#accounts.begin(ACCOUNT_WORK, account, () =>
          this.#process(ACCOUNT_WORK, account, parseAccountWork, (parsed) =>
            outcomeBy(TIME_LIMITS.accountWork, () => reconcileAndNote(parsed, this.#services, this.#log)),
          ),
        ),
      followAtOnce: (rotation: RotationWork) =>
        this.#follow.begin(KEY_WORK, rotation, async () => {
          await this.#accounts.settled();
          await this.#process(KEY_WORK, rotation, parseRotationWork, (parsed) =>
            outcomeBy(TIME_LIMITS.keyWork, () => followRotation(parsed, this.#services, this.#log)),
          );
        }),
    };
    return outcomeBy(TIME_LIMITS.keyWork, () => lookAtKey(work, services, this.#log));
  }

  /** Puts it into the queue, and does it in place; returns when it is there. What it comes to is told by `settled`. */
  async begin(work: KeyWork): Promise<{ readonly settled: Promise<void> }> {
    const key = new AtOnce(this.#services.heldMessages, 1);
    await key.begin(KEY_WORK, work, () => this.#process(KEY_WORK, work, parseKeyWork, (parsed) => this.run(parsed)));
    return { settled: key.settled().then(() => this.settled()) };
  }

  /** When the accounts that were begun are done, and it was seen how far the rotation is. */
  async settled(): Promise<void> {
    await this.#accounts.settled();
    await this.#follow.settled();
  }

  /** With what becomes of it, as for a message from the queue. */
  #process<W extends Work>(
    queueName: typeof KEY_WORK | typeof ACCOUNT_WORK,
    entry: W,
    parse: (entry: unknown) => W,
    run: (work: W) => Promise<Outcome>,
  ): Promise<void> {
    const { queue, now, telemetry } = this.#services;
    const received = { entry, dequeueCount: 1 };
    const runIt = (work: W) => workSpan(work, telemetry, () => run(work));
    return processWork({ queueName, received, parse, run: runIt, queue, reports, now, log: this.#log });
  }
}

/** Looks at the key of an event in place. The look is in the queue as well, for the case that it is broken off. */
export async function lookAtOnce(event: KeyEvent, services: Services, log: Log): Promise<void> {
  const look = new KeyLookAtOnce(services, log);
  const { settled } = await enqueueKey(event, services, (work) => look.begin(work), log);
  await timeBoxed((signal) => untilAborted(settled, signal), TIME_LIMITS.eventWork);
}
