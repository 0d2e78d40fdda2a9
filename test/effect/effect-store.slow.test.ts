import { BlobServiceClient } from '@azure/storage-blob';
import { describe, expect, it } from 'vitest';
import type { KeyEffect } from '../../src/effect/effect.ts';
import { createEffectStore, type EffectStore } from '../../src/effect/effect-store-client.ts';
import { managedKey } from '../../src/keys/managed-vaults.ts';
import { useAzurite } from '../support/azurite.ts';
import { VAULT } from '../support/keys.ts';

const azurite = useAzurite();
const since = '2026-01-01T00:00:00.000Z';
const effectOf = (accounts: string[]): KeyEffect => ({
  key: 'k',
  change: { expect: 'blocked', since },
  complete: true,
  accounts: accounts.map((account) => ({
    account,
    service: 'file',
    share: 's',
    state: 'open',
    since,
    checkedOn: since,
  })),
});

function store(): EffectStore {
  const settings = { storage: { connectionString: azurite.connectionString } };
  return createEffectStore(settings, () => {
    throw new Error('A connection string needs no identity.');
  });
}

describe('the effect store', () => {
  it('has nothing of a key that was never probed, not even a container', async () => {
    expect(await store().read(managedKey(VAULT, 'fresh'))).toBeUndefined();
  });

  it('keeps what is written, under one name whatever the letters of the key', async () => {
    const written = await store().update(managedKey(VAULT, 'Files-Key'), () => effectOf(['/a/one']));
    expect(written).toEqual(effectOf(['/a/one']));
    expect(await store().read(managedKey(VAULT, 'files-key'))).toEqual(written);
    const container = BlobServiceClient.fromConnectionString(azurite.connectionString).getContainerClient('cmk-drift');
    const names: string[] = [];
    for await (const { name } of container.listBlobsFlat()) names.push(name);
    expect(names).toContain('effect/kv-files/files-key.json');
  });

  it('loses nothing when writers meet, the first of all included', async () => {
    const key = managedKey(VAULT, 'contended');
    const writers = ['/a/1', '/a/2', '/a/3', '/a/4', '/a/5', '/a/6'];
    await Promise.all(
      writers.map((account) =>
        store().update(key, (current) => effectOf([...(current?.accounts ?? []).map((one) => one.account), account])),
      ),
    );
    const accounts = (await store().read(key))?.accounts.map(({ account }) => account);
    expect(accounts?.sort()).toEqual(writers);
  });

  it('makes anew what is not a record of ours', async () => {
    const key = managedKey(VAULT, 'garbled');
    await store().update(key, () => effectOf([]));
    const container = BlobServiceClient.fromConnectionString(azurite.connectionString).getContainerClient('cmk-drift');
    const blob = container.getBlockBlobClient('effect/kv-files/garbled.json');
    await blob.upload('{"accounts"', 11);
    expect(await store().read(key)).toBeUndefined();
    await blob.upload('', 0);
    expect(await store().read(key)).toBeUndefined();
    expect(await store().update(key, () => effectOf(['/a/one']))).toEqual(effectOf(['/a/one']));
  });

  it('says so when the storage cannot be reached', async () => {
    const unreachable = azurite.connectionString.replace(
      /BlobEndpoint=http:\/\/127\.0\.0\.1:\d+/,
      'BlobEndpoint=http://127.0.0.1:9',
    );
    const settings = { storage: { connectionString: unreachable } };
    const broken = createEffectStore(settings, () => {
      throw new Error('unused');
    });
    await expect(broken.read(managedKey(VAULT, 'files-key'))).rejects.toThrow();
  });
});
