import { beforeEach, describe, expect, it } from 'vitest';
import { dropRollouts } from '../../src/drift/apply/drop-rollouts.ts';
import { createRolloutStore, NO_ROLLOUT, type RolloutStore } from '../../src/index/rollout-row.ts';
import { createUseRows, type UseRow } from '../../src/index/use-row.ts';
import { idOf } from '../controller/fleet.ts';
import { day, KEY, VAULT } from '../support/keys.ts';
import { MemoryFleetTable } from '../support/memory-fleet-table.ts';

const GONE = `${VAULT.uri}/keys/gone-key`;
const FOREIGN = 'https://kv-foreign.vault.azure.net/keys/files-key';
const NOON = day(20).toISOString();

const rows = createUseRows(new MemoryFleetTable().port());
let rollouts: RolloutStore;
const names = async () => (await Array.fromAsync(rollouts.all())).map(({ name }) => name).sort();
const drop = (keys: readonly string[] | undefined) =>
  dropRollouts(
    [
      {
        subject: { vault: VAULT },
        keys: keys ? { value: keys } : { unread: { resource: '', what: '', action: '', reason: '' } as never },
      },
    ],
    { rollouts, useRows: rows },
  );

beforeEach(async () => {
  rollouts = createRolloutStore(new MemoryFleetTable().port());
  for (const name of [KEY.id, GONE, FOREIGN, 'rekey-1']) await rollouts.put(name, NO_ROLLOUT, undefined);
});

describe('The drift check', () => {
  it('The drift check drops the rollouts of keys that their vault does not list, but not those of re-keys or other vaults', async () => {
    await drop([KEY.name.toUpperCase()]);
    expect(await names()).toEqual([FOREIGN, KEY.id, 'rekey-1'].sort());
  });

  it('The drift check drops no rollout of a vault whose keys could not be listed', async () => {
    await drop(undefined);
    expect(await names()).toContain(GONE);
  });

  it('The drift check drops no rollout of a deleted key that accounts still use', async () => {
    const use: UseRow = {
      key: GONE,
      account: idOf('st1'),
      location: 'westeurope',
      mode: 'pinned',
      readOn: NOON,
      state: 'done',
      at: NOON,
      attempts: 0,
    };

    await rows.put([use]);
    await drop([KEY.name]);

    expect(await names()).toContain(GONE);

    await rows.drop([use]);
  });

  it('The drift check drops no rollout that another decision changed in the meantime', async () => {
    const { drop: dropRow } = rollouts;
    rollouts = {
      ...rollouts,
      async drop(name, etag) {
        const stored = await rollouts.read(name);
        await rollouts.put(name, { ...NO_ROLLOUT, stage: 'rest' }, stored?.etag);
        return dropRow(name, etag);
      },
    };

    await drop([KEY.name]);

    expect(await names()).toContain(GONE);
  });
});
