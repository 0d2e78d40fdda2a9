import { describe, expect, it } from 'vitest';
import { MemoryVault } from '../simulation/memory-vault.ts';
import { KEY } from '../support/keys.ts';
import { KeySite } from './key-site.ts';
import { ALICE, BOB } from './records.ts';

const HOUR = 3_600;

/** A key that Alice revoked, and whose newest version another tool then gave other tags. */
async function rewritten(versions: number, enabled: boolean) {
  const site = new KeySite();
  site.vaults.set(KEY.id, new MemoryVault(versions, site.now));
  const id = await site.revoke(ALICE);
  site.pass(HOUR);
  const newest = site.vault().versions.at(-1)?.version ?? '';
  site.vault().update(newest, { enabled, tags: { env: 'prod' } });
  return { site, id, newest };
}

const restores = ({ trail }: KeySite) => trail.entries.filter(({ reason }) => /^Restore(d|Incomplete)$/.test(reason));

describe('a restore of a key whose tags another tool changed', () => {
  it.each([1, 2])(
    'A restore is incomplete and names a version that stays disabled, as another tool removed its record: %i versions',
    async (count) => {
      const { site, id, newest } = await rewritten(count, false);
      const result = await site.restored(BOB, id);
      expect(result).toMatchObject({ end: 'RestoreIncomplete', left: { lost: [newest] }, revocation: { id } });
      expect(result.warnings).toEqual([expect.stringMatching(`${newest}.*another tool removed its record`)]);
      expect(site.enabled().at(-1)).toBe(false);

      site.vault().set(newest, true);
      expect(await site.restored(BOB, id)).toMatchObject({ end: 'Restored', warnings: [] });
      expect(restores(site)).toHaveLength(1);
    },
  );

  it('A restore records once the end of a revocation that only the audit trail still shows', async () => {
    const { site, id } = await rewritten(1, true);
    expect(await site.restored(BOB, id)).toMatchObject({ end: 'Restored', changed: false });
    expect(restores(site)).toMatchObject([
      { reason: 'Restored', caller: { objectId: BOB }, details: { revocation: { id } } },
    ]);
    expect(await site.restore(BOB, id)).toBe('NothingToRestore');
    expect(restores(site)).toHaveLength(1);
  });

  it('A restore needs a second person even if only the audit trail shows who revoked', async () => {
    const { site, id } = await rewritten(1, true);
    expect(await site.restore(ALICE, id)).toBe('SecondPersonNeeded');
    expect(restores(site)).toEqual([]);
  });

  it('A restore warns that it could not read the audit trail, and restores what the tags show', async () => {
    const { site, id, newest } = await rewritten(2, false);
    site.trail.isOut = true;
    const result = await site.restored(BOB, id);
    expect(result).toMatchObject({ end: 'Restored', left: { lost: [], others: [newest] } });
    expect(result.warnings.join()).toMatch(/could not read the audit trail/);
    expect(site.enabled()).toEqual([true, false]);
  });
});

it('A restore lists the versions that were disabled before the revocation, and is complete', async () => {
  const site = new KeySite();
  const [first] = site.vault().versions.map(({ version }) => version);
  site.vault().set(first ?? '', false);
  const id = await site.revoke(ALICE);
  const result = await site.restored(BOB, id);
  expect(result).toMatchObject({ end: 'Restored', left: { lost: [], others: [first] } });
  expect(result.warnings).toEqual([
    expect.stringMatching(`no record shows that the revocation disabled them: ${first}`),
  ]);
});
