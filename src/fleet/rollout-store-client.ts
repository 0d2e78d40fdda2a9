import { odata, type TableClient } from '@azure/data-tables';
import type { TokenCredential } from '@azure/identity';
import { z } from 'zod';
import { controlTable } from '../azure/app-storage.ts';
import { describeFailure, isTableMissing } from '../azure/failure.ts';
import type { Settings } from '../settings/settings.ts';
import { parseJson } from '../text.ts';
import { encoded } from './fleet-keys.ts';
import type { RolloutRow, RolloutStage, RolloutStore } from './rollout-row.ts';

/** Table of rollouts and of uses that re-keys moved, in the control zone. */
export const CONTROL_TABLE = 'cmkcontrol';
const ROTATIONS = 'rotations';

const iso = z.iso.datetime();
const count = z.int().min(0);
const ROW = z.object({
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
});

/** Rollout rows in Azure Table Storage. The client is made when it is first needed. */
export function createRolloutStore(
  settings: Pick<Settings, 'storage'>,
  credential: () => TokenCredential,
): RolloutStore {
  let client: TableClient | undefined;
  const table = (): TableClient => {
    client ??= controlTable(settings, credential, CONTROL_TABLE);
    return client;
  };
  const write = async (name: string, row: RolloutRow, etag: string | undefined): Promise<void> => {
    const entity = { partitionKey: ROTATIONS, rowKey: encoded(name), name, row: JSON.stringify(row) };
    await (etag ? table().updateEntity(entity, 'Replace', { etag }) : table().createEntity(entity));
  };
  return {
    async read(name) {
      try {
        const { etag, ...entity } = await table().getEntity(ROTATIONS, encoded(name));
        // The next decision replaces a row that cannot be parsed.
        return { row: toRolloutRow(entity.row) ?? UNREADABLE, etag };
      } catch (error) {
        if (describeFailure(error).kind === 'notFound') return undefined;
        throw error;
      }
    },
    async put(name, row, etag) {
      try {
        await write(name, row, etag).catch(async (error: unknown) => {
          if (!isTableMissing(error)) throw error;
          await table().createTable();
          await write(name, row, etag);
        });
        return true;
      } catch (error) {
        const { kind } = describeFailure(error);
        if (kind === 'conflict' || kind === 'notFound') return false;
        throw error;
      }
    },
    async *all() {
      const filter = odata`PartitionKey eq ${ROTATIONS}`;
      try {
        for await (const entity of table().listEntities({ queryOptions: { filter } })) {
          const row = toRolloutRow(entity.row);
          if (row && typeof entity.name === 'string') yield { name: entity.name, row };
        }
      } catch (error) {
        if (!isTableMissing(error)) throw error;
      }
    },
  };
}

const UNREADABLE: RolloutRow = {
  ...{ target: undefined, stage: 'canary', canaries: [], proven: false, unfinished: 0, failed: 0 },
  ...{ progressOn: new Date(0).toISOString(), checkedOn: new Date(0).toISOString() },
};

function toRolloutRow(json: unknown): RolloutRow | undefined {
  const row = typeof json === 'string' ? ROW.safeParse(parseJson(json)).data : undefined;
  if (!row) return undefined;
  const { target, unwell, activation, lastNews, ...rest } = row;
  return {
    ...rest,
    target,
    ...(unwell === undefined ? {} : { unwell }),
    ...(activation ? { activation } : {}),
    ...(lastNews ? { lastNews } : {}),
  };
}
