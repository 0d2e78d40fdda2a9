import { compareText } from '../formats/text.ts';
import { formatAccountRow, parseAccountId } from '../index/fleet-keys.ts';
import {
  getStageNumber,
  LAST_WAVE,
  parseWaveNumber,
  type RolloutNews,
  type RolloutRow,
  type RolloutStage,
} from '../index/rollout-row.ts';
import { getVersionOfRow, type UseRow } from '../index/use-row.ts';
import type { KeyVersion } from '../keys/key-versions.ts';
import type { MovedUse } from './moved-uses.ts';

/** The next wave starts if at most this share of a wave's uses failed; one failed use is always allowed. */
const FAILED_SHARE = 0.1;
/** Time without progress after which an unfinished rollout is stuck. Milliseconds. */
const STUCK_MS = 15 * 60_000;
/** Moves were paused if the last decision is older than this: the limit for stuck rollouts restarts. Milliseconds. */
const UNDECIDED_MS = 10 * 60_000;

/** Above this number of accounts, the count drops all but the last decision's canaries and the best candidates. */
const MOST_CANDIDATES = 1_000;
const STATUSES = ['moved', 'waiting', 'failed', 'left'] as const;
type Status = (typeof STATUSES)[number];

/** Number of a key's uses by status. */
export type RotationCounts = Record<Status, number>;

/** Result of the canary probe: `proven`, or the names of failed canaries; undefined before the probe. */
export type Proof = 'proven' | { readonly failing: string } | undefined;

/**
 * Returns a use's status from its index row.
 *
 * @param isComparison for the drift check, which moves no exempt use; other causes move a use that the check skipped
 */
export function getStatusOfUse(row: UseRow, target: Pick<KeyVersion, 'id' | 'version'>, isComparison = true): Status {
  const isPinnedElsewhere = row.pinned !== undefined && row.pinned !== target.version;
  if (getVersionOfRow(row) === target.id && !isPinnedElsewhere) return 'moved';

  if (row.state === 'skipped' && row.target === target.id) {
    return row.reason === 'LeftByCheck' && !isComparison ? 'waiting' : 'left';
  }

  return row.state === 'failed' ? 'failed' : 'waiting';
}

/** Uses of one subscription and wave. */
interface UseGroup {
  readonly subscription: string;
  /** Above {@link LAST_WAVE} without a wave. */
  readonly wave: number;
  readonly counts: RotationCounts;
}

/** An account that is a canary or may become one. */
interface Candidate {
  readonly account: string;
  readonly groups: Map<string, UseGroup>;
  /** Lowest rank of an unfinished use; Infinity if all uses are finished. */
  rank: number;
}

interface RolloutRules {
  readonly target: Pick<KeyVersion, 'id' | 'version'>;
  /** Number of canary accounts; 0 for none. */
  readonly canaries: number;
  /** An operator opened the gate of this rollout after a stage failed. */
  readonly isOrderedOn: boolean;
  readonly isComparison: boolean;
  /** The last decision; ignored if its target version differs. */
  readonly before: RolloutRow | undefined;
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

/**
 * Counts the uses of a key and decides on the stage. Only widens a stage until the target version changes. Keeps no
 * object for each use: a key may have 100,000.
 */
export class RolloutCount {
  readonly #rules: RolloutRules;
  readonly #before: RolloutRow | undefined;
  /** By subscription and wave. */
  readonly #groups = new Map<string, UseGroup>();
  /** By account row. */
  readonly #candidates = new Map<string, Candidate>();

  constructor(rules: RolloutRules) {
    this.#rules = rules;
    this.#before = rules.before?.target === rules.target.id ? rules.before : undefined;
  }

  add(row: UseRow): void {
    this.#count(row, getStatusOfUse(row, this.#rules.target, this.#rules.isComparison));
  }

  /** Adds a use that a re-key order moved off the key. */
  addMoved(use: MovedUse): void {
    this.#count(use, 'moved');
  }

  #count({ account, wave: tag, mode }: Pick<MovedUse, 'account' | 'wave' | 'mode'>, status: Status): void {
    const { subscriptionId: subscription } = parseAccountId(account);
    const wave = parseWaveNumber(tag) ?? LAST_WAVE + 1;
    const name = formatAccountRow(account);
    const candidate = this.#candidates.get(name) ?? { account, groups: new Map(), rank: Number.POSITIVE_INFINITY };

    this.#candidates.set(name, candidate);

    for (const groups of [this.#groups, candidate.groups]) {
      const group = groups.get(`${subscription} ${wave}`) ?? { subscription, wave, counts: createNoCounts() };
      groups.set(`${subscription} ${wave}`, group);
      group.counts[status] += 1;
    }

    // By wave, then pinned before automatic: a pinned use shows at once that Azure uses the version.
    const rank = 2 * wave + Number(mode === 'automatic');
    if (status === 'waiting' || status === 'failed') candidate.rank = Math.min(candidate.rank, rank);
    if (this.#candidates.size > MOST_CANDIDATES) this.#dropCandidates();
  }

  #dropCandidates(): void {
    const kept = new Set(
      [...(this.#before?.canaries ?? []), ...this.#chooseCanaries()].map((id) => formatAccountRow(id)),
    );
    for (const name of this.#candidates.keys()) {
      if (!kept.has(name)) this.#candidates.delete(name);
    }
  }

  decide(proof?: Proof): RolloutDecision {
    const { target, now } = this.#rules;
    const before = this.#before;
    const isProven = proof === 'proven' || before?.proven === true;
    const failing = isProven ? undefined : (proof?.failing ?? before?.failing);

    // A canary without uses proves nothing.
    const left = before?.canaries.filter((canary) => this.#candidates.has(formatAccountRow(canary))) ?? [];
    const canaries = before && (left.length > 0 || before.stage !== 'canary') ? left : this.#chooseCanaries();
    const begun = before?.stage ?? 'canary';
    const { stage, blockedBy, needsProof = false } = this.#advance(begun, canaries, isProven, failing !== undefined);

    const counts = countOf(this.#groups.values());
    const unfinished = counts.waiting + counts.failed;
    const hasStopped = before !== undefined && unfinished >= before.unfinished && !this.#wasPaused(before);
    const progressOn = hasStopped ? before.progressOn : now.toISOString();

    const news = blockedBy ?? newsOfProgress(unfinished, progressOn, now);
    const row: RolloutRow = {
      target: target.id,
      stage,
      canaries,
      proven: isProven,
      unfinished,
      failed: counts.failed,
      progressOn,
      checkedOn: now.toISOString(),
      failing,
      lastNews: news,
    };

    // Does not report a rollout as finished if no use moved, or if an order moved all uses to another key.
    const hasFinished = before !== undefined && before.unfinished > 0 && this.#groups.size > 0;
    const isNews = news !== before?.lastNews && (news !== 'RotationFinished' || hasFinished);
    const unfinishedGroups = this.#admitted(row).filter(({ counts: { waiting, failed } }) => waiting + failed > 0);

    return {
      row,
      counts,
      needsProof,
      news: isNews ? news : undefined,
      isWider: stage !== before?.stage,
      subscriptions: [...new Set(unfinishedGroups.map(({ subscription }) => subscription))],
    };
  }

  /** The controller decides less often on a stuck rollout; that is no pause. */
  #wasPaused({ checkedOn, lastNews }: RolloutRow): boolean {
    return lastNews !== 'RotationStuck' && this.#rules.now.getTime() - Date.parse(checkedOn) > UNDECIDED_MS;
  }

  /** Chooses accounts with unfinished uses: by rank, then by name. */
  #chooseCanaries(): readonly string[] {
    const unfinished = [...this.#candidates].filter(([, { rank }]) => rank < Number.POSITIVE_INFINITY);
    unfinished.sort(([name, a], [other, b]) => a.rank - b.rank || compareText(name, other));
    return unfinished.slice(0, this.#rules.canaries).map(([, { account }]) => account);
  }

  /** Returns the groups of uses that the stage admits. */
  #admitted({ stage, canaries }: Pick<RolloutRow, 'stage' | 'canaries'>): readonly UseGroup[] {
    const names = new Set(canaries.map((id) => formatAccountRow(id)));
    const ofCanaries = [...this.#candidates].flatMap(([name, { groups }]) =>
      names.has(name) ? [...groups.values()] : [],
    );
    const isInStage = ({ wave }: UseGroup) => wave <= getStageNumber(stage);
    return [...[...this.#groups.values()].filter(isInStage), ...ofCanaries.filter((group) => !isInStage(group))];
  }

  /** Widens the stage until a stage is incomplete. */
  #advance(
    begun: RolloutStage,
    canaries: readonly string[],
    isProven: boolean,
    isUnwell: boolean,
  ): { readonly stage: RolloutStage; readonly needsProof?: true; readonly blockedBy?: RolloutNews | undefined } {
    if (this.#rules.isOrderedOn) return { stage: 'rest' };

    // The first new uses become canaries.
    if (this.#groups.size === 0) return { stage: begun };

    let stage = begun;
    for (;;) {
      if (stage === 'rest') return { stage };

      const isCanary = stage === 'canary';
      const { waiting, failed, moved, left } = countOf(this.#admitted({ stage, canaries }));
      const allowed = isCanary ? 0 : Math.max(1, Math.floor((waiting + failed + moved + left) * FAILED_SHARE));
      if (failed > allowed) return { stage, blockedBy: isCanary ? 'CanaryFailed' : 'WaveFailed' };
      if (waiting > 0) return { stage };
      if (isCanary && !isProven && moved > 0) {
        return { stage, needsProof: true, blockedBy: isUnwell ? 'CanaryFailed' : undefined };
      }

      stage = this.#nextStage(stage);
    }
  }

  #nextStage(stage: RolloutStage): RolloutStage {
    const waves = [...this.#groups.values()].map(({ wave }) => wave).filter((wave) => wave > getStageNumber(stage));
    const next = Math.min(...waves);
    return next > LAST_WAVE ? 'rest' : `wave ${next}`;
  }
}

function newsOfProgress(unfinished: number, progressOn: string, now: Date): RolloutNews | undefined {
  if (unfinished === 0) return 'RotationFinished';
  const isStuck = now.getTime() - Date.parse(progressOn) > STUCK_MS;
  return isStuck ? 'RotationStuck' : undefined;
}

export function createNoCounts(): RotationCounts {
  return { moved: 0, waiting: 0, failed: 0, left: 0 };
}

function countOf(groups: Iterable<UseGroup>): RotationCounts {
  const sum = createNoCounts();
  for (const { counts } of groups) {
    for (const status of STATUSES) sum[status] += counts[status];
  }
  return sum;
}
