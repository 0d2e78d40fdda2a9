import type { RecordAudit } from '../audit/audit-trail.ts';
import { twice } from '../azure/retry-once.ts';
import type { Log } from '../log.ts';
import { REASONS, type Reason } from '../reasons.ts';
import { LATE_WRITE_MS } from '../time/spans.ts';
import type { AccountRevocationWork } from '../work/messages.ts';
import type { AccountPart, AccountPorts } from './account-part.ts';
import {
  type AccountRevocation,
  openOfPart,
  resourceOfPart,
  type Taken,
  tagsOfRecords,
  takenId,
} from './account-record.ts';
import { type AccountTrail, type AccountWord, isRestored } from './account-trail.ts';
import { failureOf, giveOne, type TakenFailure, takeAll } from './change-access.ts';
import {
  endedLate,
  lastRestore,
  mendRecord,
  recordGivenBefore,
  recordMore,
  recordRest,
  recordUnsaid,
} from './mend-record.ts';
import { missingOf, standingOf } from './of-account.ts';
import { AUDIT_WAIT_MS } from './record-revocation.ts';

/** What was given less long ago may be in the middle of a restore, whose record goes next. Milliseconds. */
const UNDER_WAY_MS = 30_000;
/** What does not say when it was given is taken so much later: a restore gives, and closes the record at once. Milliseconds. */
const CLOSES_MS = 10_000;

export interface SettleAccountServices extends AccountPorts {
  readonly audit: RecordAudit;
  readonly accountTrail: AccountTrail;
}

/**
 * A look at one part of an account some time after it was revoked or restored, or because a drift check has found that what is
 * revoked has access. A write of the app that was given up may have taken effect since: an earlier restore's, which gives
 * access to what is revoked; an earlier revocation's, which takes it from what is restored, or brings its record back. While a
 * record stands, exactly what it names is taken away again; once it is gone, exactly what the restore gave is given again.
 * Whether that was anybody's call, the message or the audit trail says, and never the tags alone.
 *
 * @param records whether whatever was begun has come to its end
 * @param since when the trail begins to be of interest
 * @throws the SDK's error when it cannot be read, or an error that names what could not be taken away or given
 */
export async function settleAccount(
  part: AccountPart,
  { done, records }: Pick<AccountRevocationWork, 'done' | 'records'>,
  since: Date,
  services: SettleAccountServices,
  log: Log,
): Promise<void> {
  const look = new AccountLook(part, done, since, services, log);
  const before = await look.open();
  const words = await look.words(before);
  const closed = new Set(words.flatMap((word) => (isRestored(word) ? word.closed : [])));
  const isMended = (await look.mend(words, closed)) || (records && (await look.recordRest(before, words)));
  const open = isMended ? await look.open() : before;
  const ghosts = open.filter(({ id }) => closed.has(id));
  const stands = open.filter((one) => !ghosts.includes(one));
  await look.recordUnsaid(ghosts, stands, words, closed);
  if (ghosts.length > 0) await look.close(ghosts);
  if (stands.length > 0) await look.take(open, words, closed);
  else if (done?.did === 'restore') await look.give(done.revocation.id, words, closed);
}

class AccountLook {
  readonly #part: AccountPart;
  readonly #done: AccountRevocationWork['done'];
  readonly #since: Date;
  readonly #services: SettleAccountServices;
  readonly #log: Log;

  constructor(
    part: AccountPart,
    done: AccountRevocationWork['done'],
    since: Date,
    services: SettleAccountServices,
    log: Log,
  ) {
    this.#part = part;
    this.#done = done;
    this.#since = since;
    this.#services = services;
    this.#log = log;
  }

  async open(): Promise<readonly AccountRevocation[]> {
    const { tags, now } = this.#services;
    return openOfPart(await tags.read(this.#part.account), this.#part.part, now());
  }

  words(open: readonly AccountRevocation[]): Promise<readonly AccountWord[]> {
    const oldest = Math.min(this.#since.getTime(), ...open.map(({ revokedOn }) => revokedOn.getTime()));
    return this.#services.accountTrail(resourceOfPart(this.#part.account, this.#part.part), new Date(oldest));
  }

  /** Of a revocation that nobody has restored. */
  async mend(words: readonly AccountWord[], closed: ReadonlySet<string>): Promise<boolean> {
    const id = this.#done?.did === 'revoke' ? this.#done.revocation.id : undefined;
    const record = words.find(({ did, revocation }) => did === 'revoke' && revocation === id)?.record;
    if (!record || closed.has(record.id) || !(await mendRecord(this.#part, record, this.#services))) return false;
    await this.#write('account.keepRevoked', 'AccountKeptRevoked', record.id, { recorded: record.took });
    return true;
  }

  /** Of a restore that has come to its end without a word. */
  async recordRest(open: readonly AccountRevocation[], words: readonly AccountWord[]): Promise<boolean> {
    if (this.#done?.did !== 'restore') return false;
    const { id } = this.#done.revocation;
    return this.#recorded(id, await recordRest(this.#part, this.#done, words, open, this.#services));
  }

  /** Of revocations that were still at work when they were restored. */
  async recordUnsaid(
    ghosts: readonly AccountRevocation[],
    stands: readonly AccountRevocation[],
    words: readonly AccountWord[],
    closed: ReadonlySet<string>,
  ): Promise<void> {
    const done = this.#done;
    const late = done?.did === 'revoke' ? endedLate(this.#part, done, words) : [];
    const restored = [...ghosts, ...late];
    const [newest] = restored;
    if (!newest) return;
    // While it is revoked, no look gives anything.
    const last = stands.length > 0 ? undefined : lastRestore(words, closed, this.#services.now());
    const isOwn = done?.did === 'restore' && done.revocation.id === last?.revocation;
    const given = last && (isOwn || last.isLookedAt) ? last.gives : [];
    await this.#recorded(newest.id, await recordUnsaid(this.#part, restored, stands, given, this.#services));
  }

  /** Takes records away that a late write has brought back after they were restored. */
  async close(ghosts: readonly AccountRevocation[]): Promise<void> {
    const { tags, sleep } = this.#services;
    const { account } = this.#part;
    const records = tagsOfRecords(await tags.read(account), ghosts);
    await twice(() => tags.remove(account, records), sleep);
    for (const { id } of ghosts) await this.#write('account.finishRestore', 'RestoreFinished', id, { closed: id });
  }

  /** Takes away what stands, by records that somebody's call has made and nobody's has closed. */
  async take(
    open: readonly AccountRevocation[],
    words: readonly AccountWord[],
    closed: ReadonlySet<string>,
  ): Promise<void> {
    const { now, sleep } = this.#services;
    const called = new Set(words.flatMap(({ did, revocation }) => (did === 'revoke' ? revocation : [])));
    if (this.#done?.did === 'revoke') called.add(this.#done.revocation.id);
    // Whatever else stands in the tags must not hide those: anybody who may write tags can write a newer one.
    const made = open.filter(({ id }) => called.has(id) && !closed.has(id));
    const [{ id = '' } = {}] = made;
    if (this.#done?.did === 'revoke')
      await this.#recorded(id, await recordGivenBefore(this.#part, words, made, this.#services));
    const standing = await standingOf(this.#part, made);
    const nowMs = now().getTime();
    const late = standing.filter(({ of, changedOn }) => {
      // What does not say when it was given may have been given just now, and by a write of before.
      const atMs = changedOn?.getTime() ?? nowMs;
      const isUnderWay = changedOn !== undefined && atMs < nowMs && nowMs - atMs < UNDER_WAY_MS;
      return atMs <= of.revokedOn.getTime() + LATE_WRITE_MS && !isUnderWay;
    });
    if (late.length === 0) return;
    if (late.some(({ changedOn }) => changedOn === undefined)) await sleep(CLOSES_MS);
    const ids = new Set((await this.open()).map(({ id }) => id));
    const still = late.filter(({ of }) => ids.has(of.id));
    const [first] = still;
    if (!first) return;
    const taken = still.map((one) => one.taken);
    const failures = new Map<string, TakenFailure>();
    await takeAll(this.#part, taken, failures, this.#services);
    // A restore may have closed the record just then: what it has given is not taken from it.
    const after = await this.open();
    if (after.length === 0) await Promise.all(taken.map((one) => this.#giveOne(one, failures)));
    else
      await this.#keep(
        first.of.id,
        taken.filter((one) => !failures.has(takenId(one))),
        after,
      );
    this.#judge('AccountRevocationIncomplete', first.of.id, failures);
  }

  /**
   * Gives what a restore gave, where the last word about this part is that restore. That it was let through, the audit trail
   * says: whoever may write the queue must not restore by a message what nobody has restored.
   */
  async give(id: string, words: readonly AccountWord[], closed: ReadonlySet<string>): Promise<void> {
    const { now } = this.#services;
    const last = lastRestore(words, closed, now());
    if (last?.revocation !== id) return;
    const missing = await missingOf(this.#part, last.gives);
    if (missing.length === 0 || (await this.open()).length > 0) return;
    const failures = new Map<string, TakenFailure>();
    await Promise.all(missing.map((one) => this.#giveOne(one, failures)));
    const given = missing.filter((one) => !failures.has(takenId(one)));
    const after = await this.open();
    if (after.length === 0) {
      if (given.length > 0) await this.#write('account.finishRestore', 'RestoreFinished', id, { given });
    } else {
      // Revoked anew just then, by somebody who may have looked before this was there.
      await takeAll(this.#part, given, failures, this.#services);
      await this.#keep(after[0]?.id ?? id, given, after);
    }
    this.#judge('AccountRestoreIncomplete', id, failures);
  }

  /** What this has taken away, on record: a revocation that looked just then may not know of it. */
  async #keep(id: string, taken: readonly Taken[], open: readonly AccountRevocation[]): Promise<void> {
    if (taken.length === 0) return;
    await recordMore(this.#part, taken, open, this.#services);
    await this.#write('account.keepRevoked', 'AccountKeptRevoked', id, { taken });
  }

  async #recorded(id: string, recorded: readonly Taken[]): Promise<boolean> {
    if (recorded.length > 0) await this.#write('account.keepRevoked', 'AccountKeptRevoked', id, { recorded });
    return recorded.length > 0;
  }

  async #giveOne(taken: Taken, failures: Map<string, TakenFailure>): Promise<void> {
    try {
      await giveOne(this.#part, taken, this.#services);
    } catch (error) {
      failures.set(takenId(taken), failureOf(taken, error));
    }
  }

  async #write(action: string, reason: Reason, revocation: string, details: object): Promise<void> {
    const resource = resourceOfPart(this.#part.account, this.#part.part);
    this.#log({ level: 'warning', reason, message: REASONS[reason], account: resource, revocation });
    const entry = { action, reason, resource, details: { revocation, ...details } };
    await this.#services.audit(entry, AUDIT_WAIT_MS);
  }

  /** For want of a right nothing gets better by a repetition: a person has to see to it. */
  #judge(reason: Reason, revocation: string, failures: ReadonlyMap<string, TakenFailure>): void {
    const account = resourceOfPart(this.#part.account, this.#part.part);
    for (const { taken, error, forbidden } of failures.values()) {
      const message = `${REASONS[reason]} ${takenId(taken)}: ${error}`;
      this.#log({ level: 'error', reason, message, account, revocation });
      if (!forbidden) throw new Error(`${takenId(taken)} of ${account}: ${error}`);
    }
  }
}
