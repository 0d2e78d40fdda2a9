import { describeFailure, mayHaveTakenEffect } from '../azure/failure.ts';
import { isSameUse, type KeyUse, usesKey } from '../fleet/key-use.ts';
import { levelOf, namesUnlisted, type Plan, planKeyUse, versionInUse } from '../fleet/plan.ts';
import type { KeyVersion } from '../keys/key-versions.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import type { Log, LogLevel } from '../log.ts';
import { REASONS, type Reason } from '../reasons.ts';
import { usesLeft } from '../settings/exemption.ts';
import { type AccountWork, isByCheck } from '../work/messages.ts';
import { DONE, type Outcome, outcomeOfFailure } from '../work/outcome.ts';
import { doneBy, isOfKey, judge, judgeLater, type MoveIntent, modeOf, versionId } from './intent.ts';
import type { MoveJournal } from './move-journal.ts';
import { ABANDONED_SECONDS, BUSY, type ReconcileServices } from './put-off.ts';
import { RevokedParts } from './revoked-parts.ts';
import { held } from './rollout.ts';
import { type KeyUseResult, type Reading, type Subject, toldMove } from './subject.ts';

/** How often a use may turn out to be another one when it is read right before the write. */
const MAX_ROUNDS = 3;

/** The look at one account under its lease: the steps that the account and its scopes share. */
export class Reconciliation {
  readonly key: ManagedKey;
  readonly services: ReconcileServices;
  readonly journal: MoveJournal;
  readonly work: AccountWork;
  readonly revoked: RevokedParts;
  /** Whether any write was tried, and not refused for its budgets. */
  wrote = false;
  readonly #log: Log;
  #versions: readonly KeyVersion[] = [];
  #isListed = false;

  constructor(work: AccountWork, key: ManagedKey, journal: MoveJournal, services: ReconcileServices, log: Log) {
    this.work = work;
    this.key = key;
    this.journal = journal;
    this.services = services;
    this.revoked = new RevokedParts(services.now);
    this.#log = log;
  }

  async list(): Promise<void> {
    const { keys } = this.services;
    this.#versions = await keys.listVersions(this.key);
    this.#isListed = true;
  }

  /** Judges the moves of a subject that were begun before and never settled, by what it uses now, and since when. */
  async settle(scope: string | undefined, use: KeyUse | undefined, rotatedOn?: Date): Promise<void> {
    if (usesKey(use, this.key)) await this.#listed(use);
    for (const move of this.journal.found) {
      if (move.scope !== scope || move.done) continue;
      const versions = await this.#versionsOf(move, use);
      if (!versions) continue;
      const verdict = judgeLater(move, use, versions, rotatedOn);
      if (scope === undefined && use) this.journal.learn(use);
      if (verdict.verdict === 'notMoved') {
        this.journal.drop(move);
        continue;
      }
      const done = { ...doneBy(move, verdict), provenBy: 'look' as const };
      this.record(done.reason === 'MoveUnproven' ? 'warning' : 'info', done.reason, toldMove(move, done.to));
      await this.journal.record(move, done);
    }
  }

  /**
   * Reads a subject for the first time. Where its use is known from before (`guess`), the move is announced before the
   * read, so that nothing lies between the read and the write; when it is read to be another one, nothing was done.
   *
   * @returns what was read, and what came of the move when the guess was right
   */
  async readFirst(
    subject: Subject,
    guess: KeyUse | undefined,
  ): Promise<{ readonly reading: Reading | undefined; readonly outcome?: Outcome }> {
    const plan = guess ? await this.#planned(subject.scope, guess) : undefined;
    const begins = plan?.write === true && !(await this.#heldBack());
    const intent = begins ? await this.journal.begin(this.#intent(subject.scope, guess as KeyUse, plan)) : undefined;
    const reading = await subject.read().catch((error: unknown) => {
      if (intent) this.journal.drop(intent);
      throw error;
    });
    if (!intent || !plan?.write) return { reading };
    if (guess && reading?.use && isSameUse(reading.use, guess) && !reading.revoked) {
      return { reading, outcome: await this.#write(reading, plan, intent) };
    }
    this.journal.drop(intent);
    return { reading };
  }

  /** By a pause, or by canaries and waves: the version may have come since it was asked whether it is the account's turn. */
  async #heldBack(): Promise<Outcome | undefined> {
    const { rollout } = this.services;
    const hold = await rollout.heldNow(this.key, this.work.account, this.#versions, this.#log);
    return held(hold ?? rollout.pausedNow(this.key));
  }

  async #planned(scope: string | undefined, use: KeyUse): Promise<Plan> {
    await this.#listed(use);
    const { work, services } = this;
    const now = services.now();
    const isLeft =
      isByCheck(work.cause) && usesLeft(services.settings.drift, now)({ ...this.#subject(scope), mode: modeOf(use) });
    return planKeyUse(use, this.#versions, now, { ...services.settings, isLeft });
  }

  /** Brings a use of the key to where it should be. */
  async move(subject: Subject, seen: KeyUse): Promise<Outcome> {
    let use = seen;
    const revoked = this.revoked.of(subject.scope);
    if (revoked) return this.#leave(revoked, subject.scope);
    for (let round = 1; round <= MAX_ROUNDS; round += 1) {
      const plan = await this.#planned(subject.scope, use);
      if (!plan.write) return this.#leave(plan.reason, subject.scope, use);
      const notNow = (await subject.turn?.()) ?? (await this.#heldBack());
      if (notNow) return notNow;
      const intent = await this.journal.begin(this.#intent(subject.scope, use, plan));
      // From here to the write nothing is waited for: what somebody has changed until now is not undone.
      const reading = await subject.read().catch((error: unknown) => {
        this.journal.drop(intent);
        throw error;
      });
      if (reading?.use && isSameUse(reading.use, use) && !reading.revoked) return this.#write(reading, plan, intent);
      this.journal.drop(intent);
      if (!reading) return this.#leave('AccountNotFound', subject.scope);
      if (reading.revoked) return this.#leave(reading.revoked, subject.scope);
      const other = reading.use ? 'OtherKey' : 'NotCustomerManaged';
      if (!usesKey(reading.use, this.key)) return this.#leave(other, subject.scope);
      use = reading.use;
    }
    return BUSY;
  }

  /** Says why a use stays as it is. */
  async #leave(why: Reason, scope: string | undefined, use?: KeyUse): Promise<Outcome> {
    const [about, from] = [this.#subject(scope), use && versionInUse(use)];
    this.record(levelOf(why), why, use ? toldMove({ ...about, mode: modeOf(use), from }, from) : about);
    return DONE;
  }

  async #write(reading: Reading, plan: Plan & { write: true }, intent: MoveIntent): Promise<Outcome> {
    if (!this.journal.held()) {
      this.journal.drop(intent);
      return BUSY;
    }
    let answer: KeyUse | undefined;
    try {
      answer = await reading.write(plan.pin, undefined);
    } catch (error) {
      return this.#failed(error, intent);
    }
    this.wrote = true;
    const verdict = judge(intent, answer, this.#versions);
    if (intent.scope === undefined && answer) this.journal.learn(answer);
    if (verdict.verdict === 'moved') {
      const done = doneBy(intent, verdict);
      const detail = plan.reason === 'PinNotInUse' ? `${REASONS.Moved} ${REASONS.PinNotInUse}` : undefined;
      this.record('info', done.reason, toldMove(intent, done.to), detail);
      await this.journal.record(intent, done);
      return DONE;
    }
    const shown = answer && versionInUse(answer);
    if (plan.reason === 'LaggingAutomaticVersion' && verdict.verdict === 'notMoved') {
      // Whether Storage looks at once is not documented: its answer decides what is said, and either is in order.
      this.journal.drop(intent);
      this.record('info', plan.reason, toldMove(intent, shown));
      return DONE;
    }
    this.journal.leave(intent);
    const detail = `Azure's answer shows ${versionId(intent.toKey ?? this.key.id, shown) ?? 'no version'}, not ${plan.target.id}.`;
    return { outcome: 'retry', reason: 'NotProven', detail, counts: true, delaySeconds: undefined };
  }

  #failed(error: unknown, intent: MoveIntent): Outcome {
    const failure = describeFailure(error);
    this.wrote ||= failure.kind !== 'throttled';
    const about = toldMove(intent, intent.to);
    const isUnknown = mayHaveTakenEffect(failure);
    if (isUnknown) this.journal.giveUp(intent, this.services.now());
    else this.journal.drop(intent);
    // Deleted between the read and the write. Other 404s are about the key (`HttpResourceNotFound`).
    if (failure.kind === 'notFound' && failure.code === 'ResourceNotFound') {
      this.record('info', 'AccountNotFound', about);
      return DONE;
    }
    const outcome = outcomeOfFailure(error);
    if (outcome.outcome !== 'done') this.record('warning', outcome.reason, about, outcome.detail);
    if (!isUnknown || outcome.outcome !== 'retry') return outcome;
    return { ...outcome, delaySeconds: Math.max(ABANDONED_SECONDS, failure.retryAfterSeconds ?? 0) };
  }

  record(level: LogLevel, reason: Reason, about: Partial<KeyUseResult>, detail?: string): void {
    const { cause } = this.work;
    const seconds = cause.since === '' ? undefined : (this.services.now().getTime() - Date.parse(cause.since)) / 1000;
    this.#log({ level, reason, message: detail ?? REASONS[reason], ...about, cause, seconds });
  }

  /** Whoever names a version that is not in the list is seen before the next list. */
  async #listed(use: KeyUse): Promise<void> {
    if (!this.#isListed || namesUnlisted(use, this.#versions)) await this.list();
  }

  /** Undefined: another key's, which cannot be read now; its own next look judges the move. */
  async #versionsOf(move: MoveIntent, use: KeyUse | undefined): Promise<readonly KeyVersion[] | undefined> {
    // Which key it uses proves such a move.
    if (move.toKey !== undefined) return [];
    const key = this.services.settings.vaults.key(move.key);
    if (!key || key.id === this.key.id) return this.#versions;
    if (!use || !isOfKey(use, move.key)) return [];
    return this.services.keys.listVersions(key).catch(() => undefined);
  }

  #intent(scope: string | undefined, use: KeyUse, plan: Plan & { write: true }): Omit<MoveIntent, 'id'> {
    const from = versionInUse(use);
    const move = { ...this.#subject(scope), mode: modeOf(use), ...(from ? { from } : {}) };
    return { ...move, to: plan.target.version, cause: this.work.cause, at: this.services.now().toISOString() };
  }

  #subject(scope: string | undefined): Pick<MoveIntent, 'account' | 'scope' | 'key'> {
    return { account: this.work.account, ...(scope ? { scope } : {}), key: this.key.id };
  }
}
