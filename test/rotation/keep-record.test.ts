import { expect, it } from 'vitest';
import type { Keys } from '../../src/keys/key-client.ts';
import type { KeyVersion } from '../../src/keys/key-versions.ts';
import { MAX_TAGS } from '../../src/revocation/revocation.ts';
import { keepRecord } from '../../src/rotation/make-version.ts';
import { BOB, NOON, NOW, record, restored, revoked } from '../revocation/records.ts';
import { KEY, keyVersion, versionName } from '../support/keys.ts';

/** The tags that the newest version is given, under a revocation of the one before. */
async function kept(before: KeyVersion, tags: Readonly<Record<string, string>>): Promise<unknown> {
  const written: unknown[] = [];
  const keys: Pick<Keys, 'updateVersion'> = {
    updateVersion: async (_, version, change) => {
      written.push([version, change]);
      return before;
    },
  };
  // The completion came after the revocation.
  const made = keyVersion(3, { enabled: false, updatedOn: NOON, tags });
  await keepRecord(KEY, made.version, [before, made], keys, NOW);
  return written;
}

it('gives the version the record of the revocation, and not of a restore that is under way', async () => {
  const restoring = revoked(2, { tags: record(2, { restoringBy: BOB }) });
  const tags = { owner: 'files', ...restored(3, { id: 'old' }) };
  expect(await kept(restoring, tags)).toEqual([[versionName(3), { tags: { owner: 'files', ...record(3) } }]]);
});

it('writes nothing to a version that has no tag to spare', async () => {
  const full = Object.fromEntries(Array.from({ length: MAX_TAGS }, (_, n) => [`tag${n}`, 'x']));
  expect(await kept(revoked(2), full)).toEqual([]);
});
