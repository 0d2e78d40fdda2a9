import type { RecordAudit } from '../audit/audit-trail.ts';
import { LIMITS } from '../azure/limits.ts';
import type { KeyUse } from '../fleet/key-use.ts';
import { GIVEN_UP_MS } from '../time/spans.ts';
import { HELD_MS, LEASE_CONTAINER, LEASE_MS, type Lease } from '../work/lease-client.ts';
import { formatAccountState, type MoveIntent, newIntent, parseAccountState, versionId } from './intent.ts';

/**
 * Of a holder that lives, and renews its lease no more as the storage does not answer it: after the last renewal it may begin
 * a write for `HELD_MS`, which is given up when its answer does not come, and may still take effect then. The lease stands
 * for a part of that; the rest is waited for before anything is judged by what is read. No single lease is sure to stand for
 * so long, should whoever takes it for that die: two are taken. Milliseconds.
 */
const SETTLE_MS = HELD_MS + LIMITS.storageManagement.wholeWriteMs + GIVEN_UP_MS - LEASE_MS;
/** How long a move waits for the audit trail, in milliseconds. */
const AUDIT_WAIT_MS = 10_000;

/**
 * The moves of one account that are begun and not recorded yet, kept with the account's lease. What is announced here
 * before it is written is recorded once, however often it takes: by the answer, or by what is read at the next look.
 */
export class MoveJournal {
  readonly held: () => boolean;
  readonly #lease: Lease;
  readonly #audit: RecordAudit;
  #moves: readonly MoveIntent[];
  #saved: readonly MoveIntent[];
  readonly #found: ReadonlySet<string>;
  readonly #decided: readonly MoveIntent[];
  #known: KeyUse | undefined;
  #isOpen = false;
  /** Over for whoever comes next once it is known how long the lease stands: not for one that is killed before. */
  readonly #givenUp = new Set<string>();
  #failure = 'The lease was lost.';

  constructor(lease: Lease, audit: RecordAudit) {
    this.#lease = lease;
    this.held = lease.held;
    this.#audit = audit;
    const { moves, known } = parseAccountState(lease.state);
    this.#moves = moves;
    this.#known = known;
    this.#saved = this.#moves;
    this.#decided = this.#moves.filter(({ done }) => done);
    this.#found = new Set(this.#moves.map(({ id }) => id));
  }

  /** What those before left behind, as far as it is not dealt with. Each is judged before anything new is begun. */
  get found(): readonly MoveIntent[] {
    return this.#moves.filter(({ id }) => this.#found.has(id));
  }

  /** How the app's last move left the account; undefined when it never moved it. */
  get known(): KeyUse | undefined {
    return this.#known;
  }

  /** The account was moved, and its answer, or a look at it, shows this use. Saved with what is known of the move. */
  learn(use: KeyUse): void {
    this.#known = use;
  }

  /** Why something that was done is not recorded yet; undefined when everything is. */
  get unrecorded(): string | undefined {
    return this.#moves.some(({ done }) => done) ? this.#failure : undefined;
  }

  /**
   * Lets go of the account for as long as a write of those before may still take effect: nobody gets it until then, and who
   * gets it next need not wait any more, or not as long. Never throws: when that is not saved, the next one leaves it alone
   * once more.
   *
   * @returns for how long it is let go, in milliseconds; 0: none may, and nothing is let go
   */
  async leaveAlone(now: Date): Promise<number> {
    const wholeMs = this.#underWayMs(now);
    if (wholeMs <= 0) return 0;
    const isLast = wholeMs <= LEASE_MS;
    const ms = isLast ? wholeMs : wholeMs / 2;
    // Not by the time of day, which another instance may read from another clock.
    const isTaken = await this.#lease.releaseAfter(ms);
    if (!isTaken) return ms;
    this.#moves = this.#moves.map((move) => {
      if (!isLast) return move.over ? move : { ...move, waitedMs: Math.min((move.waitedMs ?? 0) + ms, LEASE_MS) };
      const { until: _, waitedMs: __, ...known } = move;
      return { ...known, over: true };
    });
    await this.#save().catch(() => {});
    return ms;
  }

  #underWayMs(now: Date): number {
    const left = this.found.map(({ over, until, waitedMs = 0 }) => {
      const known = until ? Math.min(Date.parse(until) - now.getTime(), GIVEN_UP_MS) : 0;
      return over ? known : Math.max(known, SETTLE_MS - waitedMs);
    });
    return Math.max(0, ...left);
  }

  /** Announces a move. Errors are the SDK's, and then nothing may be written. */
  async begin(move: Omit<MoveIntent, 'id'>): Promise<MoveIntent> {
    const begun = newIntent(move);
    this.#moves = [...this.#moves, begun];
    try {
      await this.#save();
    } catch (error) {
      this.drop(begun);
      throw error;
    }
    return begun;
  }

  /** It did not take effect, and will not. */
  drop(move: MoveIntent): void {
    this.#moves = this.#moves.filter(({ id }) => id !== move.id);
  }

  /** The answer came, and proves nothing. */
  leave(move: MoveIntent): void {
    this.#replace({ ...move, over: true });
  }

  /** Whether the write takes effect is not known: the account is left alone for as long as it may. */
  giveUp(move: MoveIntent, now: Date): void {
    this.#isOpen = true;
    this.#givenUp.add(move.id);
    this.#replace({ ...move, until: new Date(now.getTime() + GIVEN_UP_MS).toISOString() });
  }

  /** Records what became of a move. One that cannot be recorded now stays until it can. */
  async record(move: MoveIntent, done: NonNullable<MoveIntent['done']>): Promise<void> {
    const decided = { ...move, done, over: true };
    this.#replace(decided);
    // Without the lease somebody else may be recording it.
    if (!this.held()) return;
    const { id, account, scope, key, toKey, rekey, mode, cause, at } = move;
    const versions = { from: versionId(key, move.from), to: versionId(toKey ?? key, done.to ?? move.to) };
    const ordered = toKey === undefined ? {} : { toKey, rekey };
    const entry = {
      id,
      action: toKey === undefined ? 'account.move' : 'account.rekey',
      reason: done.reason,
      resource: account,
      details: {
        ...(scope === undefined ? {} : { scope }),
        key,
        ...ordered,
        ...versions,
        mode,
        cause,
        at,
        ...provenBy(done),
        ...(this.#found.has(id) ? { foundIn: LEASE_CONTAINER } : {}),
      },
    };
    const outcome = await this.#audit(entry, AUDIT_WAIT_MS, this.#found.has(id) ? new Date(at) : undefined);
    if ('written' in outcome) {
      this.drop(decided);
      return;
    }
    this.#isOpen = true; // it may still be written
    this.#failure = outcome.failed;
  }

  /** Records what those before knew and could not record. What failed at this look is left to the next: it may still be written. */
  async recordFound(): Promise<void> {
    for (const move of this.#decided) {
      if (move.done) await this.record(move, move.done);
    }
  }

  /** Lets go of the lease, unless something may still take effect. Never throws: what is not saved is judged anew. */
  async close(): Promise<void> {
    const isOurs = this.held();
    // First: whoever reads that it is over waits for nothing but the lease, which a killed holder leaves for 40 s alone.
    if (this.#isOpen && (await this.#lease.abandon())) {
      this.#moves = this.#moves.map((move) => (this.#givenUp.has(move.id) ? { ...move, over: true } : move));
    }
    if (this.#moves !== this.#saved && isOurs) await this.#save().catch(() => {});
    if (!this.#isOpen) await this.#lease.release();
  }

  #replace(move: MoveIntent): void {
    this.#moves = this.#moves.map((other) => (other.id === move.id ? move : other));
  }

  async #save(): Promise<void> {
    const moves = this.#moves;
    await this.#lease.save(formatAccountState({ moves, known: this.#known }));
    this.#saved = moves;
  }
}

/** Where no answer proves it: a person who made the same move within minutes cannot be told from the app then. */
function provenBy({ provenBy: how }: NonNullable<MoveIntent['done']>): { readonly provenBy?: 'look' } {
  return how ? { provenBy: how } : {};
}
