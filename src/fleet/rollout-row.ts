import type { Reason } from '../reasons.ts';
import { accountRow } from './fleet-keys.ts';

/** The largest number that a wave may have; anything else in the tag counts as no tag. */
const LAST_WAVE = 1_000;

/** How far a rollout may go: its canaries, then one wave after the other; what has no wave comes last. */
export type RolloutStage = 'canary' | `wave ${number}` | 'rest';

/** What is recorded, and alerts, of a rollout. */
export type RolloutNews = Extract<Reason, 'RotationFinished' | 'RotationStuck' | 'CanaryFailed' | 'WaveFailed'>;

/** What is decided for the move of a key's uses to one version. Written by reconcileKey alone. */
export interface RolloutRow {
  /** Version identifier that it moves to; undefined: no version can be used. */
  readonly target: string | undefined;
  /** For one target it only advances. */
  readonly stage: RolloutStage;
  /** ARM ids of the accounts that go first. */
  readonly canaries: readonly string[];
  /** Whether their file services were seen to serve with the version. */
  readonly proven: boolean;
  /** Canaries that were seen not to serve, in words. */
  readonly unwell?: string;
  /** Uses that are to be moved and are not. */
  readonly unfinished: number;
  readonly failed: number;
  /** When a use was last seen to have moved; else when it began, or went on after a pause (ISO 8601). */
  readonly progressOn: string;
  readonly checkedOn: string;
  /** When the next version can be used (ISO 8601). */
  readonly activation?: string;
  /** What was last recorded of it. */
  readonly said?: RolloutNews;
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

/** Of stages in their order. */
export function stageNumber(stage: RolloutStage): number {
  if (stage === 'canary') return -1;
  return stage === 'rest' ? Number.POSITIVE_INFINITY : Number(stage.slice('wave '.length));
}

/** The number of a wave; undefined: the account has none, and comes last. */
export function waveNumber(tag: string | undefined): number | undefined {
  const wave = tag !== undefined && /^\d{1,4}$/.test(tag.trim()) ? Number(tag) : undefined;
  return wave !== undefined && wave <= LAST_WAVE ? wave : undefined;
}
