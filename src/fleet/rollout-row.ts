import type { Reason } from '../reasons.ts';
import { accountRow } from './fleet-keys.ts';

/** The largest number that a wave may have; anything else in the tag counts as no tag. */
const LAST_WAVE = 1_000;

/** Stages in order: the canaries, each wave, then accounts without a wave. */
export type RolloutStage = 'canary' | `wave ${number}` | 'rest';

/** Events of a rollout that are recorded and raise alerts. */
export type RolloutNews = Extract<Reason, 'RotationFinished' | 'RotationStuck' | 'CanaryFailed' | 'WaveFailed'>;

/** The decision on the rollout of a key to one version. Only reconcileKey writes it. */
export interface RolloutRow {
  /** Version identifier; undefined: no version is usable. */
  readonly target: string | undefined;
  /** For one target it only advances. */
  readonly stage: RolloutStage;
  /** ARM ids of the accounts that go first. */
  readonly canaries: readonly string[];
  /** Whether probes showed that the file services of the canaries serve with the version. */
  readonly proven: boolean;
  /** Canaries that do not serve, in words. */
  readonly unwell?: string;
  /** Uses that are pending or failed. */
  readonly unfinished: number;
  readonly failed: number;
  /** When a use was last seen to have moved; else when it began, or went on after a pause (ISO 8601). */
  readonly progressOn: string;
  readonly checkedOn: string;
  /** When the next version can be used (ISO 8601). */
  readonly activation?: string;
  /** The last event that was recorded. */
  readonly lastNews?: RolloutNews;
}

/** Rollouts by key identifier, or by id of a re-key order. Errors are the SDK's. */
export interface RolloutStore {
  read(name: string): Promise<StoredRollout | undefined>;
  /** @returns false: it was changed since it was read */
  put(name: string, row: RolloutRow, etag: string | undefined): Promise<boolean>;
  all(): AsyncIterable<{ readonly name: string; readonly row: RolloutRow }>;
}

export interface StoredRollout {
  readonly row: RolloutRow;
  readonly etag: string;
}

/** Whether the stage lets an account move. */
export function isAdmitted(
  { stage, canaries }: Pick<RolloutRow, 'stage' | 'canaries'>,
  { account, wave }: { readonly account: string; readonly wave?: string },
): boolean {
  const row = accountRow(account);
  if (canaries.some((canary) => accountRow(canary) === row)) return true;
  return (waveNumber(wave) ?? Number.POSITIVE_INFINITY) <= stageNumber(stage);
}

/** Sort key of a stage. */
export function stageNumber(stage: RolloutStage): number {
  if (stage === 'canary') return -1;
  return stage === 'rest' ? Number.POSITIVE_INFINITY : Number(stage.slice('wave '.length));
}

/** Undefined: the account has no valid wave, and comes last. */
export function waveNumber(tag: string | undefined): number | undefined {
  const wave = tag !== undefined && /^\d{1,4}$/.test(tag.trim()) ? Number(tag) : undefined;
  return wave !== undefined && wave <= LAST_WAVE ? wave : undefined;
}
