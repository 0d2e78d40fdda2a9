import type { KeyVersion } from '../keys/key-versions.ts';
import { compareText } from '../text.ts';
import { accountId, accountRow } from './fleet-keys.ts';
import type { MovedUse } from './moved-uses.ts';
import {
  isAdmitted,
  LAST_WAVE,
  type RolloutNews,
  type RolloutRow,
  type RolloutStage,
  stageNumber,
  waveNumber,
} from './rollout-row.ts';
import { type UseRow, versionOfRow } from './use-row.ts';

/** The next wave starts if at most this share of a wave's uses failed; one failed use is always allowed. */
const FAILED_SHARE = 0.1;
/** Time without progress after which an unfinished rollout is stuck. Milliseconds. */
const STUCK_MS = 15 * 60_000;
/** Moves were paused if the last decision is older than this: the limit for stuck rollouts restarts. Milliseconds. */
const UNDECIDED_MS = 10 * 60_000;

/** Number of a key's uses by status. */
export type RotationCounts = Record<'moved' | 'waiting' | 'failed' | 'left', number>;

/** Result of the canary probe: `proven`, or the names of failed canaries; undefined before the probe. */
export type Proof = 'proven' | { readonly unwell: string } | undefined;

/**
 * Returns a use's status from its index row.
 *
 * @param isComparison for the drift check, which moves no exempt use; other causes move a use that the check skipped
 */
export function statusOfUse(row: UseRow, target: Pick<KeyVersion, 'id' | 'version'>, isComparison = true): Status {
  const isPinnedElsewhere = row.pinned !== undefined && row.pinned !== target.version;
  if (versionOfRow(row) === target.id && !isPinnedElsewhere) return 'moved';
  if (row.state === 'skipped' && row.target === target.id)
    return row.reason === 'LeftByCheck' && !isComparison ? 'waiting' : 'left';
  return row.state === 'failed' ? 'failed' : 'waiting';
}

type Status = keyof RotationCounts;
type CountedUse = Pick<MovedUse, 'account' | 'wave' | 'mode'> & { readonly status: Status };

interface RolloutRules {
  readonly target: Pick<KeyVersion, 'id' | 'version'>;
  /** Number of canary accounts; 0 for none. */
  readonly canaries: number;
  /** An operator opened the gate of this rollout after a stage failed. */
  readonly isOrderedOn: boolean;
  readonly isComparison: boolean;
  readonly now: Date;
}

export interface RolloutDecision {
  readonly row: RolloutRow;
  readonly counts: Readonly<RotationCounts>;
  /** The canaries are on the target version and need a probe before the next stage. */
  readonly needsProof: boolean;
  readonly news: RolloutNews | undefined;
  /** The stage or the target version changed. */
  readonly isWider: boolean;
  /** Subscriptions with unfinished uses that the stage admits. */
  readonly subscriptions: readonly string[];
}

/** Counts the uses of a key and decides on the stage. Only widens a stage until the target version changes. */
export class RolloutCount {
  readonly #rules: RolloutRules;
  readonly #uses: CountedUse[] = [];

  constructor(rules: RolloutRules) {
    this.#rules = rules;
  }

  add(row: UseRow): void {
    const { account, wave, mode } = row;
    const status = statusOfUse(row, this.#rules.target, this.#rules.isComparison);
    this.#uses.push({ account, wave, mode, status });
  }

  /** Adds a use that a re-key order moved off the key. */
  addMoved({ account, wave, mode }: MovedUse): void {
    this.#uses.push({ account, wave, mode, status: 'moved' });
  }

  /** @param before the last decision; ignored if its target version differs */
  decide(before: RolloutRow | undefined, proof?: Proof): RolloutDecision {
    const { target, now } = this.#rules;
    const same = before?.target === target.id ? before : undefined;
    const isProven = proof === 'proven' || same?.proven === true;
    const unwell = isProven ? undefined : (proof?.unwell ?? same?.unwell);
    // A canary without uses proves nothing.
    const accounts = new Set(this.#uses.map(({ account }) => accountRow(account)));
    const left = same?.canaries.filter((canary) => accounts.has(accountRow(canary))) ?? [];
    const canaries = same && (left.length > 0 || same.stage !== 'canary') ? left : this.#chooseCanaries();
    const begun = same?.stage ?? 'canary';
    const { stage, heldBy, needsProof = false } = this.#advance(begun, canaries, isProven, unwell !== undefined);
    const counts = countOf(this.#uses);
    const unfinished = counts.waiting + counts.failed;
    const progressOn =
      same && unfinished >= same.unfinished && !this.#wasPaused(same) ? same.progressOn : now.toISOString();
    const isStuck = now.getTime() - Date.parse(progressOn) > STUCK_MS;
    const news = heldBy ?? (unfinished === 0 ? 'RotationFinished' : isStuck ? 'RotationStuck' : undefined);
    const row: RolloutRow = {
      ...{ target: target.id, stage, canaries, proven: isProven, unfinished, failed: counts.failed },
      ...{ progressOn, checkedOn: now.toISOString(), unwell, lastNews: news },
    };
    // Does not report a rollout as finished if no use moved, or if an order moved all uses to another key.
    const hasFinished = same !== undefined && same.unfinished > 0 && this.#uses.length > 0;
    const isNews = news !== same?.lastNews && (news !== 'RotationFinished' || hasFinished);
    const open = this.#uses.filter((use) => isOpen(use) && isAdmitted(row, use));
    return {
      ...{ row, counts, needsProof, news: isNews ? news : undefined, isWider: stage !== same?.stage },
      subscriptions: [...new Set(open.map(({ account }) => accountId(account).subscriptionId))],
    };
  }

  /** The controller decides less often on a stuck rollout; that is no pause. */
  #wasPaused({ checkedOn, lastNews }: RolloutRow): boolean {
    return lastNews !== 'RotationStuck' && this.#rules.now.getTime() - Date.parse(checkedOn) > UNDECIDED_MS;
  }

  /**
   * Chooses accounts with unfinished uses: by wave, then pinned before automatic, then by name. A pinned use shows at
   * once that Azure uses the version.
   */
  #chooseCanaries(): readonly string[] {
    const rank = ({ wave, mode }: CountedUse) => 2 * (waveNumber(wave) ?? LAST_WAVE + 1) + Number(mode === 'automatic');
    const open = this.#uses.filter(isOpen);
    open.sort((a, b) => rank(a) - rank(b) || compareText(accountRow(a.account), accountRow(b.account)));
    return [...new Set(open.map(({ account }) => account))].slice(0, this.#rules.canaries);
  }

  /** Widens the stage until a stage is incomplete. */
  #advance(
    begun: RolloutStage,
    canaries: readonly string[],
    isProven: boolean,
    isUnwell: boolean,
  ): { readonly stage: RolloutStage; readonly needsProof?: true; readonly heldBy?: RolloutNews | undefined } {
    if (this.#rules.isOrderedOn) return { stage: 'rest' };
    // The first new uses become canaries.
    if (this.#uses.length === 0) return { stage: begun };
    let stage = begun;
    for (;;) {
      if (stage === 'rest') return { stage };
      const isCanary = stage === 'canary';
      const admitted = this.#uses.filter((use) => isAdmitted({ stage, canaries }, use));
      const { waiting, failed, moved } = countOf(admitted);
      const allowed = isCanary ? 0 : Math.max(1, Math.floor(admitted.length * FAILED_SHARE));
      if (failed > allowed) return { stage, heldBy: isCanary ? 'CanaryFailed' : 'WaveFailed' };
      if (waiting > 0) return { stage };
      if (isCanary && !isProven && moved > 0)
        return { stage, needsProof: true, heldBy: isUnwell ? 'CanaryFailed' : undefined };
      stage = this.#nextStage(stage);
    }
  }

  #nextStage(stage: RolloutStage): RolloutStage {
    const waves = this.#uses.flatMap(({ wave }) => waveNumber(wave) ?? []);
    const next = waves.filter((wave) => wave > stageNumber(stage)).sort((a, b) => a - b)[0];
    return next === undefined ? 'rest' : `wave ${next}`;
  }
}

function isOpen({ status }: CountedUse): boolean {
  return status === 'waiting' || status === 'failed';
}

export function noCounts(): RotationCounts {
  return { moved: 0, waiting: 0, failed: 0, left: 0 };
}

function countOf(uses: readonly CountedUse[]): RotationCounts {
  const counts = noCounts();
  for (const { status } of uses) counts[status] += 1;
  return counts;
}
