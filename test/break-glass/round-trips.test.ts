import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { Keys } from '../../src/keys/key-client.ts';
import { managedKey } from '../../src/keys/managed-vaults.ts';
import { restoreKey } from '../../src/revocation/restore-key.ts';
import { RESTORED_TAG } from '../../src/revocation/revocation.ts';
import { revokeKey } from '../../src/revocation/revoke-key.ts';
import { TestKey } from '../support/fleet.ts';
import { useWire } from '../support/wire.ts';
import { objectId } from './break-glass-fixture.ts';
import { keyVaultCalls, methods } from './key-vault-calls.ts';

const wire = useWire();
const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });

/** 30 versions, every sixth off; three accounts pinned to the newest and to older ones. */
function keyOfThirty(): TestKey {
  const key = new TestKey(wire.azure.world, 'kv-files', { privateKey });
  for (let n = 2; n <= 30; n += 1) key.add({ privateKey, enabled: n % 6 !== 0 });
  for (const version of [key.first, enabledOf(key)[11], enabledOf(key).at(-1)]) {
    key.account('pinned', { key: key.use('pinned', version) });
  }
  return key;
}

function versionsOf(key: TestKey) {
  return key.vault.keys.get(key.name)?.versions ?? [];
}

function enabledOf(key: TestKey) {
  return versionsOf(key).filter(({ enabled }) => enabled);
}

function managed(key: TestKey, { settings } = wire.services()) {
  const vault = settings.vaults.byName('kv-files');
  if (!vault) throw new Error('kv-files is not managed.');
  return managedKey(vault, key.name);
}

describe('a key with 30 versions, 25 of them enabled, 3 of those used by pinned accounts', () => {
  it('is revoked by the pages of a list, one wave of updates and the pages of the list again, and restored in three such steps', async () => {
    const key = keyOfThirty();
    const before = enabledOf(key).map(({ version }) => version);
    expect(before).toHaveLength(25);
    const { urgentKeys, sleep } = wire.services();
    let seen = wire.azure.requests.last;
    const counted = countingUpdates(urgentKeys);
    const services = { keys: counted.keys, now: () => wire.azure.clock.now(), sleep };
    // Each takes as long as one of Azure's does: answered at once, the first ones are done before the last one begins.
    wire.azure.faults.add([{ match: { method: 'PATCH', path: `/keys/${key.name}/` }, delayMs: 200 }]);

    const revoked = await revokeKey(managed(key), { id: 'f00d', revokedBy: objectId('alice') }, services);

    expect(revoked).toMatchObject({ complete: true, unrecorded: [], unproven: undefined });
    expect(enabledOf(key)).toEqual([]);
    const calls = keyVaultCalls(wire.azure, key.name, seen);
    // The list by two pages, twice; each version is read right before it is written.
    expect(count(calls)).toEqual({ lists: 4, reads: 25, updates: 25 });
    expect(methods(calls).startsWith('GET GET')).toBe(true);
    expect(methods(calls).endsWith('GET GET')).toBe(true);
    // One wave: none waited for another one's answer to the end.
    expect(counted.peak()).toBeGreaterThan(5);
    const changed = calls.filter(({ method }) => method === 'PATCH').map(({ path }) => path.split(/[/?]/)[3]);
    expect(new Set(changed)).toEqual(new Set(before));

    seen = wire.azure.requests.last;
    const restored = await restoreKey(
      managed(key),
      { revocation: 'f00d', restoredBy: objectId('bob'), dualControl: true },
      services,
    );

    expect(restored).toMatchObject({ end: 'Restored', recovered: false });
    expect(enabledOf(key).map(({ version }) => version)).toEqual(before);
    const tags = versionsOf(key).map((version) => Object.keys(version.tags ?? {}));
    expect(tags.flat()).toEqual(Array(25).fill(RESTORED_TAG));
    const back = keyVaultCalls(wire.azure, key.name, seen);
    // The mark; 25 enabled; 25 records replaced; the list before, after each of the three.
    expect(count(back)).toEqual({ lists: 8, reads: 1 + 25, updates: 1 + 25 + 25 });
    expect(counted.peak()).toBeGreaterThan(5);
  });
});

function count(calls: ReturnType<typeof keyVaultCalls>) {
  const gets = calls.filter(({ method }) => method === 'GET');
  const lists = gets.filter(({ path }) => /\/versions\?/.test(path)).length;
  return { lists, reads: gets.length - lists, updates: calls.length - gets.length };
}

/** Counts the updates that are under way at the same time. */
function countingUpdates(keys: Keys): { readonly keys: Keys; readonly peak: () => number } {
  let underWay = 0;
  let peak = 0;
  const updateVersion: Keys['updateVersion'] = async (...change) => {
    underWay += 1;
    peak = Math.max(peak, underWay);
    try {
      return await keys.updateVersion(...change);
    } finally {
      underWay -= 1;
    }
  };
  return {
    keys: { ...keys, updateVersion },
    peak: () => {
      const seen = peak;
      peak = 0;
      return seen;
    },
  };
}
