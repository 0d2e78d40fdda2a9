import { z } from 'zod';
import { parseJson } from '../azure/parse-json.ts';
import { parseCause } from '../work/messages.ts';
import { encodeTableKey, formatAccountRow } from './fleet-keys.ts';
import type { FleetTable, Row } from './fleet-table-client.ts';

/** Largest wave number; any other tag value counts as no wave. */
export const LAST_WAVE = 1_000;

/** Stages in order: the canaries, each wave, then accounts without a wave. */
export type RolloutStage = 'canary' | `wave ${number}` | 'rest';

const iso = z.iso.datetime();
const ROLLOUT = z.object({
  /** Version identifier; undefined if no version is usable. */
  target: z.string().max(400).optional(),
  /** Advances only, until the target changes. */
  stage: z.custom<RolloutStage>((value) => typeof value === 'string' && /^(?:canary|rest|wave \d{1,4})$/.test(value)),
  /** ARM ids of the canary accounts. */
  canaries: z.array(z.string().max(500)).readonly(),
  /** Whether probes showed that the canaries' file services work with the version. */
  proven: z.boolean(),
  /** Names of canaries that failed the probe. */
  failing: z.string().optional(),
  /** Uses that are pending or failed. */
  unfinished: z.int().min(0),
  failed: z.int().min(0),
  /** Last confirmed move of a use; without a move, the start or the end of the last pause. */
  progressOn: iso,
  checkedOn: iso,
  /** Activation time of the next version. */
  activation: iso.optional(),
  lastNews: z.enum(['RotationFinished', 'RotationStuck', 'CanaryFailed', 'WaveFailed']).optional(),
  /** Why the rollout began or was last requested. */
  cause: z
    .unknown()
    .transform((cause) => parseCause(JSON.stringify(cause)))
    .optional(),
});
/** The decision on a key's rollout to one version. Only reconcileKey writes it. */
export type RolloutRow = Readonly<z.output<typeof ROLLOUT>>;
/** Rollout events that the app records and raises alerts for. */
export type RolloutNews = NonNullable<RolloutRow['lastNews']>;

/** Rollouts by key identifier or re-key order id. Methods throw the SDK's errors. */
export interface RolloutStore {
  read(name: string): Promise<StoredRollout | undefined>;
  /** Returns the target version of a rollout that a failed stage holds; undefined if none does. */
  held(name: string): Promise<string | undefined>;
  /** @returns false if the row changed after the read */
  put(name: string, row: RolloutRow, etag: string | undefined): Promise<boolean>;
  /** @returns false if the row changed after the read */
  drop(name: string, etag: string): Promise<boolean>;
  all(): AsyncIterable<StoredRollout & { readonly name: string }>;
}

export interface StoredRollout {
  readonly row: RolloutRow;
  readonly etag: string;
}

const ROTATIONS = 'rotations';
/** Limit of the text about failed canaries, in characters: a property has room for 32,768, and canaries need most of it. */
const MOST_FAILING = 2_000;

/** A rollout without a decision. Replaces a row that fails to parse. */
export const NO_ROLLOUT: RolloutRow = {
  target: undefined,
  stage: 'canary',
  canaries: [],
  proven: false,
  unfinished: 0,
  failed: 0,
  progressOn: new Date(0).toISOString(),
  checkedOn: new Date(0).toISOString(),
};

/** @param table of the control zone, since the gate relies on it */
export function createRolloutStore(table: FleetTable): RolloutStore {
  const parse = ({ row }: Row) => ROLLOUT.safeParse(parseJson(String(row))).data;
  const read: RolloutStore['read'] = async (name) => {
    const found = await table.row(ROTATIONS, encodeTableKey(name));
    return found && { row: parse(found) ?? NO_ROLLOUT, etag: String(found.etag) };
  };

  return {
    read,
    async held(name) {
      const stored = await read(name);
      return stored && isHeld(stored.row) ? stored.row.target : undefined;
    },
    put: (name, row, etag) => {
      const { failing, ...rest } = row;
      const properties = { name, row: JSON.stringify({ ...rest, failing: failing?.slice(0, MOST_FAILING) }) };
      return table.writeIf({ partitionKey: ROTATIONS, rowKey: encodeTableKey(name), properties }, etag);
    },
    drop: (name, etag) => table.writeIf({ partitionKey: ROTATIONS, rowKey: encodeTableKey(name) }, etag),
    async *all() {
      for await (const found of table.rows(ROTATIONS)) {
        const row = parse(found);
        if (row && typeof found.name === 'string') yield { name: found.name, row, etag: String(found.etag) };
      }
    },
  };
}

/** Returns whether a failed stage blocks the rollout, until its uses move or an operator opens the gate. */
export function isHeld({ stage, lastNews, failing }: RolloutRow): boolean {
  if (lastNews === 'CanaryFailed' || lastNews === 'WaveFailed') return true;
  return stage === 'canary' && failing !== undefined;
}

export function isAdmitted(
  { stage, canaries }: Pick<RolloutRow, 'stage' | 'canaries'>,
  { account, wave }: { readonly account: string; readonly wave?: string | undefined },
): boolean {
  const row = formatAccountRow(account);
  if (canaries.some((canary) => formatAccountRow(canary) === row)) return true;
  return (parseWaveNumber(wave) ?? Number.POSITIVE_INFINITY) <= getStageNumber(stage);
}

export function getStageNumber(stage: RolloutStage): number {
  if (stage === 'canary') return -1;
  return stage === 'rest' ? Number.POSITIVE_INFINITY : Number(stage.slice('wave '.length));
}

/** Returns undefined without a valid wave: the account moves last. */
export function parseWaveNumber(tag: string | undefined): number | undefined {
  const wave = tag !== undefined && /^\d{1,4}$/.test(tag.trim()) ? Number(tag) : undefined;
  return wave !== undefined && wave <= LAST_WAVE ? wave : undefined;
}
