import { describe, describeFailure } from '../azure/failure.ts';
import type { Account } from '../fleet/account.ts';
import { type KeyUse, usesKey } from '../fleet/key-use.ts';
import type { RekeyOrder, RekeyStore, RekeySubject, RekeyWay } from '../fleet/rekey-order.ts';
import { isSubjectSettled, stoppedBy, triedSince, wayOf } from '../fleet/rekey-order.ts';
import type { Keys } from '../keys/key-client.ts';
import type { KeyVersion } from '../keys/key-versions.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import type { Log } from '../log.ts';
import { REASONS, type Reason } from '../reasons.ts';
import type { AccountWork } from '../work/messages.ts';
import { DONE, type Outcome } from '../work/outcome.ts';
import { type RowServices, unsettled } from './rekey-rows.ts';

/** The order was changed since it was read: the next look goes by what it says then. */
const OVERTAKEN: Outcome = {
  outcome: 'retry',
  reason: 'RekeyChanged',
  detail: 'Not counted as a try.',
  counts: false,
  delaySeconds: 1,
};

/** What of the services a re-key needs at an account. */
export interface RekeyTaskServices extends RowServices {
  readonly rekeys: RekeyStore;
  readonly now: () => Date;
}

/** The part of a re-key that one look at one account does, under the account's lease. */
export class RekeyTask {
  readonly from: ManagedKey;
  readonly to: ManagedKey;
  readonly #way: RekeyWay;
  readonly #services: RekeyTaskServices;
  readonly #place: Pick<RekeySubject, 'account' | 'location'>;
  readonly #rows: Map<string | undefined, RekeySubject>;
  #failing: string | undefined;
  /** A use has moved in this look. */
  #hasMoved = false;
  /** A use stays on the key for now, and is to leave it. */
  #isKept = false;

  private constructor(
    { way, from, to }: { readonly way: RekeyWay; readonly from: ManagedKey; readonly to: ManagedKey },
    place: Pick<RekeySubject, 'account' | 'location'>,
    rows: readonly RekeySubject[],
    services: RekeyTaskServices,
  ) {
    this.from = from;
    this.to = to;
    this.#way = way;
    this.#place = place;
    this.#rows = new Map(rows.map((row) => [row.scope, row]));
    this.#services = services;
  }

  /** Errors are the SDK's. */
  static async begin(
    keys: { readonly way: RekeyWay; readonly from: ManagedKey; readonly to: ManagedKey },
    place: Pick<RekeySubject, 'account' | 'location'>,
    services: RekeyTaskServices,
  ): Promise<RekeyTask> {
    const rows = await services.rekeys.subjectsOf(keys.way.order.id, place.account);
    return new RekeyTask(keys, place, rows, services);
  }

  get order(): RekeyOrder {
    return this.#way.order;
  }

  /** Whether it has had to do with the account before. */
  get hasBegun(): boolean {
    return this.#rows.size > 0;
  }

  /** Versions of the key that it moves to; none where a look that is not the order's cannot read them: it goes on without. */
  async listTo(
    keys: Pick<Keys, 'listVersions'>,
    { rekey }: Pick<AccountWork, 'rekey'>,
  ): Promise<readonly KeyVersion[]> {
    try {
      return await keys.listVersions(this.to);
    } catch (error) {
      if (rekey !== undefined) throw error;
      return [];
    }
  }

  /** Scopes that it has to do with, as far as it knows before they are listed. */
  get hasScopes(): boolean {
    return [...this.#rows.keys()].some((scope) => scope !== undefined);
  }

  /** Whether a use of `from` is its to move: taken back is what it has moved, and nothing else. */
  covers(scope: string | undefined): boolean {
    if (!this.#way.back) return true;
    const state = this.#rows.get(scope)?.state;
    return state === 'begun' || state === 'moved';
  }

  /**
   * Says that a subject is about to move, and looks whether the order still stands as it was read. In this order: whoever
   * takes the order back changes it first and asks for its subjects then, and so finds this one, or is seen here.
   *
   * @returns what to do instead of moving it
   */
  async announce(scope: string | undefined): Promise<Outcome | undefined> {
    // Taken back, it stays what it is until it is back: a step that is killed has to be done again.
    if (!this.#way.back) await this.#put(scope, 'begun');
    const order = await this.#services.rekeys.order(this.order.id);
    const way = order && wayOf(order);
    return way?.back === this.#way.back ? undefined : OVERTAKEN;
  }

  /** It is on the other key now. */
  async moved(scope: string | undefined): Promise<void> {
    await this.#put(scope, this.#way.back ? 'back' : 'moved');
    this.#hasMoved = true;
  }

  /** What is found to use another key than it was to be moved off is settled; undefined: it is gone. */
  async saw(scope: string | undefined, use: KeyUse | undefined, exists = true): Promise<void> {
    const row = this.#rows.get(scope);
    if (!row) return;
    if (usesKey(use, this.from)) {
      // It failed before it was begun, or was elsewhere: a person put it there, and there it stays.
      if (row.failure && !this.covers(scope)) await this.#put(scope, 'left');
      return;
    }
    // What the order has never begun to move was there before, and is not taken back.
    const arrived = this.#way.back ? 'back' : row.state === 'none' ? 'left' : 'moved';
    const state = !exists ? 'gone' : usesKey(use, this.to) ? arrived : 'left';
    if (row.state !== state || row.failure) await this.#put(scope, state);
  }

  /** The scopes of the account were listed whole. */
  async sawScopes(uses: ReadonlyMap<string, KeyUse | undefined>): Promise<void> {
    for (const scope of [...this.#rows.keys()]) {
      if (scope !== undefined) await this.saw(scope, uses.get(scope), uses.has(scope));
    }
  }

  /** It is not there any more, or elsewhere: in another resource group it is what it was, and the next step looks there. */
  async gone(elsewhere: Pick<Account, 'id' | 'location'> | undefined): Promise<void> {
    for (const [scope, row] of [...this.#rows]) {
      if (elsewhere) await this.#write({ ...row, account: elsewhere.id, location: elsewhere.location });
      else await this.saw(scope, undefined, false);
    }
  }

  /** A use stays as it is. */
  stays(scope: string | undefined, { rekey }: Pick<AccountWork, 'rekey'>, isOnKey: boolean): void {
    if (rekey !== undefined && this.covers(scope) && isOnKey) this.#isKept = true;
  }

  /**
   * The look is over. An account is done with when it has moved, though scopes that are not known may wait for lists, or when
   * the order's message has found nothing that is to leave the key: nobody waits for it any more. Never throws.
   */
  async looked({ outcome }: Outcome, { rekey }: Pick<AccountWork, 'rekey'>): Promise<void> {
    const hasMoved = this.#hasMoved && [...this.#rows.values()].every((row) => isSubjectSettled(row, this.order));
    const isDone = hasMoved || (rekey !== undefined && outcome === 'done' && !this.#isKept);
    // What is not noted costs time: it is sent again.
    if (isDone) await this.#services.rekeys.noteSeen(this.order.id, this.#place.account).catch(() => {});
  }

  /** It is this scope of the account that cannot be moved; unless said, it is the account itself. */
  failsAt(scope: string): void {
    this.#failing = scope;
  }

  /** It was tried often enough: it waits for a person, and where so many do, all of it waits. Errors are the SDK's. */
  async failed(reason: Reason, detail: string): Promise<{ readonly stopped: boolean }> {
    await this.#fail(this.#failing, reason, detail);
    return { stopped: await stopAtFailures(this.order.id, this.#services) };
  }

  async #fail(scope: string | undefined, reason: Reason, detail: string): Promise<void> {
    const state = this.#rows.get(scope)?.state ?? 'none';
    const at = this.#services.now().toISOString();
    const failure = { reason, detail, at, since: triedSince(this.order) };
    await this.#write({ ...this.#base(scope), state, at, failure });
  }

  async #put(scope: string | undefined, state: RekeySubject['state']): Promise<void> {
    await this.#write({ ...this.#base(scope), state, at: this.#services.now().toISOString() });
  }

  #base(scope: string | undefined): Pick<RekeySubject, 'account' | 'location' | 'scope'> {
    return { ...this.#place, ...(scope === undefined ? {} : { scope }) };
  }

  async #write(row: RekeySubject): Promise<void> {
    await this.#services.rekeys.put(this.order.id, row);
    this.#rows.set(row.scope, row);
  }
}

/** So often a message of a re-key is tried, 15 and 30 seconds apart: a role that has just been given may take longer. */
const TRIES = 3;

/**
 * What comes of a message of a re-key that could not be done: after a few tries it is kept with the order, where whoever
 * looks after it sees it, and is not poison.
 */
export async function failedByRekey(outcome: Outcome, work: AccountWork, task: RekeyTask, log: Log): Promise<Outcome> {
  if (work.rekey === undefined || outcome.outcome === 'done') return outcome;
  if (outcome.outcome === 'retry' && (!outcome.counts || work.attempt + 1 < TRIES)) return outcome;
  const { reason, detail } = outcome;
  const about = { account: work.account, key: work.key, rekey: task.order.id };
  log({ level: 'error', reason: 'RekeyFailed', message: `${REASONS[reason]} ${detail}`, because: reason, ...about });
  try {
    const { stopped } = await task.failed(reason, detail);
    if (stopped) log({ level: 'error', reason: 'RekeyStopped', message: REASONS.RekeyStopped, ...about });
    return DONE;
  } catch (error) {
    const noted = `${detail} It could not be noted: ${describe(describeFailure(error))}`;
    return { outcome: 'retry', reason, detail: noted, counts: true, delaySeconds: undefined };
  }
}

/** Why an order stops. */
export function notMoved(accounts: number): string {
  return accounts === 1 ? '1 account could not be moved.' : `${accounts} accounts could not be moved.`;
}

/**
 * Pauses an order of which as many accounts failed as it allows. Errors are the SDK's.
 *
 * @returns whether this call did
 */
async function stopAtFailures(id: string, services: RekeyTaskServices): Promise<boolean> {
  const { rekeys, now } = services;
  const order = await rekeys.order(id);
  if (!order || !wayOf(order)) return false;
  const { stopping } = await unsettled(order, services);
  if (stopping.size < order.maxFailures) return false;
  const paused = await rekeys.replace(stoppedBy(order, notMoved(stopping.size), now()));
  // Somebody has changed it at this moment: the next failure, or the next step, looks again.
  return paused !== undefined;
}
