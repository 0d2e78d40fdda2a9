import { odata, type TableClient } from '@azure/data-tables';
import type { TokenCredential } from '@azure/identity';
import { z } from 'zod';
import { controlTable } from '../azure/app-storage.ts';
import { tableDocuments } from '../azure/documents.ts';
import { isTableMissing } from '../azure/failure.ts';
import type { Settings } from '../settings/settings.ts';
import { parseJson } from '../text.ts';
import { encoded } from './fleet-keys.ts';
import type { RolloutRow, RolloutStage, RolloutStore } from './rollout-row.ts';

/** Table of rollouts and of uses that re-keys moved, in the control zone. */
export const CONTROL_TABLE = 'cmkcontrol';
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
  .transform(({ target, ...row }) => ({ ...row, target }));

/** The next decision replaces a row that cannot be parsed. */
const ROLLOUT: z.ZodType<RolloutRow> = ROW.catch({
  ...{ target: undefined, stage: 'canary', canaries: [], proven: false, unfinished: 0, failed: 0 },
  ...{ progressOn: new Date(0).toISOString(), checkedOn: new Date(0).toISOString() },
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
  const rollouts = tableDocuments(table, ROTATIONS, encoded, ROLLOUT);
  return {
    async read(name) {
      const found = await rollouts.read(name);
      return found && { row: found.value, etag: found.etag };
    },
    put: rollouts.put,
    async *all() {
      const filter = odata`PartitionKey eq ${ROTATIONS}`;
      try {
        for await (const entity of table().listEntities({ queryOptions: { filter } })) {
          const row = ROW.safeParse(parseJson(String(entity.row ?? ''))).data;
          if (row && typeof entity.name === 'string') yield { name: entity.name, row };
        }
      } catch (error) {
        if (!isTableMissing(error)) throw error;
      }
    },
  };
}
