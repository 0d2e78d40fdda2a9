import { z } from 'zod';
import type { Reason } from '../reasons.ts';
import { parseJson } from '../text.ts';
import { accountRow, encoded } from './fleet-keys.ts';
import type { FleetTable, Row } from './fleet-table-client.ts';

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

const ROTATIONS = 'rotations';

const iso = z.iso.datetime();
const count = z.int().min(0);
const ROW = z
  .object({
    target: z.string().max(400).optional(),
    stage: z.custom<RolloutStage>((value) => typeof value === 'string' && /^(?:canary|rest|wave \d{1,4})$/.test(value)),
    canaries: z.array(z.string().max(500)),
    proven: z.boolean(),
    unwell: z.string().optional(),
    unfinished: count,
    failed: count,
    progressOn: iso,
    checkedOn: iso,
    activation: iso.optional(),
    lastNews: z.enum(['RotationFinished', 'RotationStuck', 'CanaryFailed', 'WaveFailed']).optional(),
  })
  .transform(({ target, ...row }): RolloutRow => ({ ...row, target }));

/** Stands in for a row that cannot be parsed: the next decision replaces it. */
const UNREADABLE: RolloutRow = {
  ...{ target: undefined, stage: 'canary', canaries: [], proven: false, unfinished: 0, failed: 0 },
  ...{ progressOn: new Date(0).toISOString(), checkedOn: new Date(0).toISOString() },
};

/** Rollout rows. @param table of the control zone */
export function createRolloutStore(table: FleetTable): RolloutStore {
  const parse = ({ row }: Row) => ROW.safeParse(parseJson(String(row ?? ''))).data;
  return {
    async read(name) {
      const found = await table.row(ROTATIONS, encoded(name));
      return found && { row: parse(found) ?? UNREADABLE, etag: String(found.etag) };
    },
    put: (name, row, etag) => {
      const properties = { name, row: JSON.stringify(row) };
      return table.writeIf({ partitionKey: ROTATIONS, rowKey: encoded(name), properties }, etag);
    },
    async *all() {
      for await (const found of table.rows(ROTATIONS)) {
        const row = parse(found);
        if (row && typeof found.name === 'string') yield { name: found.name, row };
      }
    },
  };
}

/** Whether the stage lets an account move. */
export function isAdmitted(
  { stage, canaries }: Pick<RolloutRow, 'stage' | 'canaries'>,
  { account, wave }: { readonly account: string; readonly wave?: string | undefined },
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
