import { BlobServiceClient } from '@azure/storage-blob';
import { describe, expect, it } from 'vitest';
import { createManagedKey } from '../../src/keys/managed-vaults.ts';
import type { KeyEffect } from '../../src/probe/effect.ts';
import { createEffectStore } from '../../src/probe/effect-store-client.ts';
import { useAzurite } from '../support/azurite.ts';
import { VAULT } from '../support/keys.ts';

const azurite = useAzurite();
const since = '2026-01-01T00:00:00.000Z';
const effectOf = (account: string): KeyEffect => ({
  key: 'k',
  change: { expect: 'blocked', since },
  complete: true,
  accounts: [{ account, service: 'file', share: 's', state: 'open', since, checkedOn: since }],
});
const store = () =>
  createEffectStore({ storage: { connectionString: azurite.connectionString } }, () => {
    throw new Error('A connection string needs no identity.');
  });
const container = () =>
  BlobServiceClient.fromConnectionString(azurite.connectionString).getContainerClient('cmk-drift');

describe('the effect store', () => {
  it('The effect store has nothing for a key that was never probed, and creates no container', async () => {
    expect(await store().read(createManagedKey(VAULT, 'fresh'))).toBeUndefined();
  });

  it('The effect store keeps a record under one name, whatever the case of the key', async () => {
    const written = await store().update(createManagedKey(VAULT, 'Files-Key'), () => effectOf('/a/one'));
    expect(written).toEqual(effectOf('/a/one'));
    expect(await store().read(createManagedKey(VAULT, 'files-key'))).toEqual(written);
    expect(await container().getBlobClient('effect/kv-files/files-key.json').exists()).toBe(true);
  });

  it('The effect store replaces a blob that is no record', async () => {
    const key = createManagedKey(VAULT, 'garbled');
    await store().update(key, () => effectOf('/a/none'));
    const blob = container().getBlockBlobClient('effect/kv-files/garbled.json');
    for (const garbled of ['{"accounts"', '']) {
      await blob.upload(garbled, garbled.length);
      expect(await store().read(key)).toBeUndefined();
    }
    expect(await store().update(key, () => effectOf('/a/one'))).toEqual(effectOf('/a/one'));
  });
});
