import { expect, it } from 'vitest';
import { openData, readData } from '../support/data-services.ts';
import { useLocalAzure } from '../support/local-azure.ts';

const local = useLocalAzure({ fleet: 'sample' });
const OPEN = { blob: 'open', file: 'open', queue: 'open', table: 'open' };
const CUT_OFF = 'KeyVaultEncryptionKeyNotFound';

it("A queue and a table stay readable after their account's key was disabled, unless that key encrypts them", async () => {
  const { world } = local.azure;
  const account = world.storageAccounts.get('stfiles01');
  const version = world.vaults.get('kv-files')?.keys.get('files-key')?.versions.at(-1);
  if (!account || !version) throw new Error('no stfiles01');

  const read = () => readData(world, account);
  expect(await read()).toMatchObject({
    queue: 'AuthorizationPermissionMismatch',
    table: 'AuthorizationPermissionMismatch',
  });

  openData(world, account);

  expect(await read()).toEqual(OPEN);

  version.enabled = false;
  account.encryption.services = {};

  expect(await read()).toEqual({ ...OPEN, blob: CUT_OFF, file: CUT_OFF });

  account.encryption.services = { queue: { enabled: true, keyType: 'Account' } };

  expect(await read()).toMatchObject({ queue: CUT_OFF, table: 'open' });

  account.encryption.services = { table: { enabled: true, keyType: 'Account' } };

  expect(await read()).toMatchObject({ queue: 'open', table: CUT_OFF });
});
