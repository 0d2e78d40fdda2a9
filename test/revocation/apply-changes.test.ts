import { describe, expect, it } from 'vitest';
import type { KeyVersion } from '../../src/keys/key-versions.ts';
import { applyChanges } from '../../src/revocation/apply-changes.ts';
import type { VersionChange } from '../../src/revocation/revocation-plans.ts';
import { KEY, keyVersion } from '../support/keys.ts';

const listed = keyVersion(1, { tags: { team: 'as listed' } });
const refused = Object.assign(new Error('Too many requests.'), { statusCode: 429, code: 'Throttled' });

/** Applies one change while reads answer as given, and returns what was written. */
async function applyUnread(change: VersionChange, read: () => Promise<KeyVersion | undefined>) {
  const written: unknown[] = [];
  const keys = {
    getVersion: read,
    updateVersion: async (_: unknown, version: string, update: object) => {
      written.push({ version, ...update });
      return { ...listed, ...update };
    },
  };

  const [applied] = await applyChanges(KEY, [change], { keys, sleep: async () => undefined });

  return { applied, written };
}

describe('applyChanges', () => {
  const again = (fresh: KeyVersion) => ({ tags: { ...fresh.tags, mark: 'restoring' } });

  it.each([
    ['a mark', { tags: { ...listed.tags, mark: 'restoring' } }],
    ['the enabling of a version', { enabled: true }],
  ])('applyChanges does not write %s if the read right before fails, and reports the failure', async (_, change) => {
    const { applied, written } = await applyUnread({ version: listed, ...change, again }, async () => {
      throw refused;
    });
    expect(written).toEqual([]);
    expect(applied).toMatchObject({ answer: undefined, failure: { kind: 'throttled' }, written: false });
  });

  it('applyChanges does not write to a deleted version', async () => {
    const { applied, written } = await applyUnread({ version: listed, ...again(listed), again }, async () => undefined);
    expect(written).toEqual([]);
    expect(applied).toMatchObject({ answer: undefined, written: false });
  });

  it('applyChanges disables a version even if the read right before the write fails', async () => {
    const change = { version: listed, enabled: false, tags: { ...listed.tags, record: 'revoked' }, again };
    const { written } = await applyUnread(change, async () => {
      throw refused;
    });
    expect(written).toEqual([{ version: listed.version, enabled: false, tags: change.tags }]);
  });
});
