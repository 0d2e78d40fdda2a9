import { describe, expect, it, vi } from 'vitest';
import { openRevocation, REVOCATION_TAG } from '../../src/revocation/revocation.ts';
import { keysOf, MemoryVault } from '../simulation/memory-vault.ts';
import { ON_ANY_MACHINE } from '../support/eventually.ts';
import { KEY } from '../support/keys.ts';
import { KeySite } from './key-site.ts';
import { ALICE, BOB, CAROL } from './records.ts';

/** A key with one version, which is revoked. */
async function revokedSite(): Promise<{ readonly site: KeySite; readonly id: string }> {
  const site = new KeySite();
  site.vaults.set(KEY.id, new MemoryVault(1, site.now));
  const id = await site.revoke(ALICE);
  site.sent.splice(0);
  return { site, id };
}

/** Of a process that is killed right after its first write to Key Vault. */
function killedAfterPatch(site: KeySite) {
  const keys = keysOf(site.vault(), async (_, effect) => effect());
  const updateVersion: typeof keys.updateVersion = async (...update) => {
    await keys.updateVersion(...update);
    return new Promise(() => {});
  };
  return { keys: { ...keys, updateVersion } };
}

describe('a restore of a key with one version', () => {
  it('A restore is finished and recorded when its process is killed right after the version is enabled', async () => {
    const { site, id } = await revokedSite();

    site.restore(BOB, id, KEY, killedAfterPatch(site));
    await vi.waitFor(() => expect(site.enabled()).toEqual([true]), ON_ANY_MACHINE);
    site.pass(60);
    for (const look of site.sent.splice(0)) await site.deliver(look);

    expect(openRevocation(site.vault().versions, site.now())).toBeUndefined();
    expect(site.enabled()).toEqual([true]);

    site.pass(1_200);
    await site.deliver({ kind: 'revocation', key: KEY.id, cause: { by: 'drift', ref: '', since: '' }, attempt: 0 });

    const restores = site.trail.entries.filter(({ action }) => action === 'key.restore');
    expect(restores).toMatchObject([
      { reason: 'RestoreBegun', caller: { objectId: BOB }, details: { why: 'a test', revocation: { id } } },
      { id: `key.restore/${id}/${BOB}`, reason: 'Restored', caller: { objectId: BOB } },
    ]);
  });

  it('A restore succeeds while the audit trail is down, and its answer says so', async () => {
    const { site, id } = await revokedSite();
    const result = await site.restored(BOB, id, KEY, { audit: async () => ({ failed: 'The trail is down.' }) });
    expect(result).toMatchObject({ end: 'Restored', audit: 'The trail is down.' });
  });

  it('A restore by a caller who may not restore is not recorded as begun', async () => {
    const { site, id } = await revokedSite();
    expect(await site.restore(ALICE, id)).toBe('SecondPersonNeeded');
    expect(site.trail.entries.filter(({ action }) => action === 'key.restore')).toEqual([]);
  });

  it('A restore disables the version again when a newer record is written just after it was enabled', async () => {
    const { site, id } = await revokedSite();

    site.pass(900);

    const [version] = site.vault().versions;
    const newer = { [REVOCATION_TAG]: `newer ${site.now().toISOString()} ${CAROL} ${version?.version}` };
    const keys = keysOf(site.vault(), async (_, effect) => effect());
    const updateVersion: typeof keys.updateVersion = async (...update) => {
      const answer = await keys.updateVersion(...update);
      if (update[2].enabled) site.vault().update(version?.version ?? '', { tags: newer });
      return answer;
    };

    expect(await site.restore(BOB, id, KEY, { keys: { ...keys, updateVersion } })).toBe('RestoreOvertaken');
    expect(site.enabled()).toEqual([false]);
  });
});
