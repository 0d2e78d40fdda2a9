import type { KeyVersion } from '../keys/key-versions.ts';
import { accountId, accountRow } from './fleet-keys.ts';
import type { MovedUse } from './moved-uses.ts';
import {
  isAdmitted,
  type RolloutNews,
  type RolloutRow,
  type RolloutStage,
  stageNumber,
  waveNumber,
} from './rollout-row.ts';
import { type UseRow, versionOfRow } from './use-row.ts';

/** Of a wave so many uses may fail before the next one begins: one in ten, and one at least. */
const FAILED_SHARE = 0.1;
/** A rollout in which nothing has moved for so long, although something should, is stuck. Milliseconds. */
const STUCK_MS = 15 * 60_000;
/** Where nothing was decided for so long, moves were paused: the time in which something should have moved begins anew. Milliseconds. */
const UNDECIDED_MS = 10 * 60_000;

/** Whether the canaries were seen to serve with the version: `proven`, or what is wrong, in words; undefined: not known yet. */
export type Proof = 'proven' | { readonly unwell: string } | undefined;

/**
 * `moved`: on the version that it is to move to; `pending`: it will be moved; `failed`: the last try failed, and it is tried
 * again; `left`: the app does not move it, as the plan writes nothing.
 */
export type UseStatus = 'moved' | 'pending' | 'failed' | 'left';

/** Status of a use by its row in the index. @param target version that it is to move to */
export function statusOfUse(row: UseRow, target: Pick<KeyVersion, 'id' | 'version'>): UseStatus {
  const isPinnedElsewhere = row.pinned !== undefined && row.pinned !== target.version;
  if (versionOfRow(row) === target.id && !isPinnedElsewhere) return 'moved';
  if (row.state === 'skipped' && row.target === target.id) return 'left';
  return row.state === 'failed' ? 'failed' : 'pending';
}

type Counts = Record<UseStatus, number>;

/** The uses of one account. */
interface CountedAccount {
  readonly account: string;
  readonly subscription: string;
  readonly wave: string | undefined;
  readonly isAutomatic: boolean;
  readonly counts: Counts;
}

export interface RolloutRules {
  readonly target: Pick<KeyVersion, 'id' | 'version'>;
  /** Accounts that go first; 0: none. */
  readonly canaries: number;
  /** An operator has ordered this rollout to go on, whatever holds it. */
  readonly isOrderedOn: boolean;
  readonly now: Date;
}

export interface RolloutDecision {
  readonly row: RolloutRow;
  readonly counts: Readonly<Counts>;
  /** The canaries are moved, and are to be seen to serve before it goes on. */
  readonly needsProof: boolean;
  /** What is to be recorded of it now; undefined: it goes its way. */
  readonly news: RolloutNews | undefined;
  /** The stage, or the target, is another one than before. */
  readonly isWider: boolean;
  /** Subscriptions with uses that are pending, or are tried again, and may move. */
  readonly subscriptions: readonly string[];
}

/** What is to be done about the uses of a key. Only this widens a stage, and for one target it never narrows it. */
export class RolloutCount {
  readonly #rules: RolloutRules;
  readonly #accounts = new Map<string, CountedAccount>();

  constructor(rules: RolloutRules) {
    this.#rules = rules;
  }

  add(row: UseRow): void {
    this.#count(row, statusOfUse(row, this.#rules.target));
  }

  /** What is not on the key any more. */
  addMoved(use: MovedUse): void {
    this.#count(use, 'moved');
  }

  #count({ account, wave, mode }: MovedUse, status: UseStatus): void {
    // By the wave of the row, as the gate asks it, though an account's scopes have the same as a rule.
    const name = `${accountRow(account)} ${wave ?? ''}`;
    const known = this.#accounts.get(name) ?? {
      ...{ account, subscription: accountId(account).subscriptionId, wave },
      ...{ isAutomatic: mode === 'automatic', counts: noCounts() },
    };
    this.#accounts.set(name, known);
    known.counts[status] += 1;
  }

  /** @param before what was decided last; of another target it counts for nothing */
  decide(before: RolloutRow | undefined, proof?: Proof): RolloutDecision {
    const { target, now } = this.#rules;
    const same = before?.target === target.id ? before : undefined;
    const isProven = proof === 'proven' || same?.proven === true;
    const unwell = isProven ? undefined : (proof?.unwell ?? same?.unwell);
    // Canaries that are gone prove nothing.
    const left = same?.canaries.filter((canary) => this.#has(canary)) ?? [];
    const canaries = same && (left.length > 0 || same.stage !== 'canary') ? left : this.#chooseCanaries();
    const begun = same?.stage ?? 'canary';
    const { stage, heldBy, needsProof } = this.#advance(begun, canaries, isProven, unwell !== undefined);
    const counts = sumOf(this.#accounts.values());
    const unfinished = counts.pending + counts.failed;
    const progressOn =
      same && unfinished >= same.unfinished && !this.#wasPaused(same) ? same.progressOn : now.toISOString();
    const isStuck = now.getTime() - Date.parse(progressOn) > STUCK_MS;
    const news = heldBy ?? (unfinished === 0 ? 'RotationFinished' : isStuck ? 'RotationStuck' : undefined);
    const row: RolloutRow = {
      ...{ target: target.id, stage, canaries, proven: isProven, unfinished, failed: counts.failed },
      ...{ progressOn, checkedOn: now.toISOString() },
      ...(unwell === undefined ? {} : { unwell }),
      ...(news ? { said: news } : {}),
    };
    // A rollout that never had anything to move, or whose uses an order has moved to another key, is not told of.
    const hasFinished = same !== undefined && same.unfinished > 0 && this.#accounts.size > 0;
    const isNews = news !== same?.said && (news !== 'RotationFinished' || hasFinished);
    return {
      ...{ row, counts, needsProof, news: isNews ? news : undefined, isWider: stage !== same?.stage },
      subscriptions: this.#subscriptions(row),
    };
  }

  /** A stuck rollout is decided on less often. */
  #wasPaused({ checkedOn, said }: RolloutRow): boolean {
    return said !== 'RotationStuck' && this.#rules.now.getTime() - Date.parse(checkedOn) > UNDECIDED_MS;
  }

  #has(account: string): boolean {
    return [...this.#accounts.values()].some((known) => accountRow(known.account) === accountRow(account));
  }

  /**
   * Of those that are to be moved, as what an order moved earlier may be on an older version of the target key. By wave; pinned
   * ones first, as those show at once that Azure took the version; then in a stable order.
   */
  #chooseCanaries(): readonly string[] {
    const wave = (account: CountedAccount) => waveNumber(account.wave) ?? Number.POSITIVE_INFINITY;
    return [...this.#accounts]
      .filter(([, { counts }]) => counts.pending + counts.failed > 0)
      .sort(
        ([a, one], [b, other]) =>
          compare(wave(one), wave(other)) || Number(one.isAutomatic) - Number(other.isAutomatic) || compare(a, b),
      )
      .map(([, { account }]) => account)
      .filter((account, n, all) => all.indexOf(account) === n)
      .slice(0, this.#rules.canaries);
  }

  /** Goes on from a stage as long as those before it are done. */
  #advance(
    begun: RolloutStage,
    canaries: readonly string[],
    isProven: boolean,
    isUnwell: boolean,
  ): { readonly stage: RolloutStage; readonly needsProof: boolean; readonly heldBy?: RolloutNews } {
    if (this.#rules.isOrderedOn) return { stage: 'rest', needsProof: false };
    // No use has shown yet what the version does: the first ones that come are canaries.
    if (this.#accounts.size === 0) return { stage: begun, needsProof: false };
    let stage = begun;
    for (;;) {
      if (stage === 'rest') return { stage, needsProof: false };
      const { pending, failed, moved, left } = this.#countsIn(stage, canaries);
      if (stage === 'canary') {
        if (failed > 0) return { stage, needsProof: false, heldBy: 'CanaryFailed' };
        if (pending > 0) return { stage, needsProof: false };
        if (!isProven && moved > 0) return { stage, needsProof: true, ...(isUnwell ? { heldBy: 'CanaryFailed' } : {}) };
      } else {
        const allowed = Math.max(1, Math.floor((pending + failed + moved + left) * FAILED_SHARE));
        if (failed > allowed) return { stage, needsProof: false, heldBy: 'WaveFailed' };
        if (pending > 0) return { stage, needsProof: false };
      }
      stage = this.#nextStage(stage);
    }
  }

  /** The next wave that any account has. */
  #nextStage(stage: RolloutStage): RolloutStage {
    const waves = [...this.#accounts.values()].map((account) => waveNumber(account.wave) ?? Number.POSITIVE_INFINITY);
    const next = Math.min(...waves.filter((wave) => wave > stageNumber(stage)));
    return Number.isFinite(next) ? `wave ${next}` : 'rest';
  }

  /** Of all that the stage admits. */
  #countsIn(stage: RolloutStage, canaries: readonly string[]): Counts {
    return sumOf([...this.#accounts.values()].filter((account) => isAdmitted({ stage, canaries }, withWave(account))));
  }

  #subscriptions(row: RolloutRow): readonly string[] {
    const open = [...this.#accounts.values()].filter(
      (account) => account.counts.pending + account.counts.failed > 0 && isAdmitted(row, withWave(account)),
    );
    return [...new Set(open.map(({ subscription }) => subscription))];
  }
}

function withWave({ account, wave }: CountedAccount): { readonly account: string; readonly wave?: string } {
  return { account, ...(wave === undefined ? {} : { wave }) };
}

function compare<T extends string | number>(a: T, b: T): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

function noCounts(): Counts {
  return { moved: 0, pending: 0, failed: 0, left: 0 };
}

function sumOf(accounts: Iterable<CountedAccount>): Counts {
  const sum = noCounts();
  for (const { counts } of accounts) {
    for (const status of Object.keys(sum) as UseStatus[]) sum[status] += counts[status];
  }
  return sum;
}
