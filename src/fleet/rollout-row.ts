import { z } from 'zod';
import { parseJson } from '../text.ts';
import { accountRow, encoded } from './fleet-keys.ts';
import type { FleetTable, Row } from './fleet-table-client.ts';

/** The largest number that a wave may have; anything else in the tag counts as no tag. */
const LAST_WAVE = 1_000;

/** Stages in order: the canaries, each wave, then accounts without a wave. */
export type RolloutStage = 'canary' | `wave ${number}` | 'rest';

const iso = z.iso.datetime();
const ROLLOUT = z.object({
  /** Version identifier; undefined: no version is usable. */
  target: z.string().max(400).optional(),
  /** For one target it only advances. */
  stage: z.custom<RolloutStage>((value) => typeof value === 'string' && /^(?:canary|rest|wave \d{1,4})$/.test(value)),
  /** ARM ids of the accounts that go first. */
  canaries: z.array(z.string().max(500)).readonly(),
  /** Whether probes showed that the file services of the canaries serve with the version. */
  proven: z.boolean(),
  /** Canaries that do not serve, in words. */
  unwell: z.string().optional(),
  /** Uses that are pending or failed. */
  unfinished: z.int().min(0),
  failed: z.int().min(0),
  /** When a use was last seen to have moved; else when it began, or went on after a pause. */
  progressOn: iso,
  checkedOn: iso,
  /** When the next version can be used. */
  activation: iso.optional(),
  /** The last event that was recorded. */
  lastNews: z.enum(['RotationFinished', 'RotationStuck', 'CanaryFailed', 'WaveFailed']).optional(),
});
/** The decision on the rollout of a key to one version. Only reconcileKey writes it. */
export type RolloutRow = Readonly<z.output<typeof ROLLOUT>>;
/** Events of a rollout that are recorded and raise alerts. */
export type RolloutNews = NonNullable<RolloutRow['lastNews']>;

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

/** Stands in for a row that cannot be parsed: the next decision replaces it. */
const UNREADABLE: RolloutRow = {
  ...{ target: undefined, stage: 'canary', canaries: [], proven: false, unfinished: 0, failed: 0 },
  ...{ progressOn: new Date(0).toISOString(), checkedOn: new Date(0).toISOString() },
};

/** Rollout rows. @param table of the control zone */
export function createRolloutStore(table: FleetTable): RolloutStore {
  const parse = ({ row }: Row) => ROLLOUT.safeParse(parseJson(String(row))).data;
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
