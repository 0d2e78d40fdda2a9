import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { AuditEntry } from '../../src/audit/record.ts';
import type { KeyVersion } from '../../src/keys/key-versions.ts';
import { NO_ORDERS } from '../../src/orders/standing-orders.ts';
import { formatRevocation, REVOCATION_TAG } from '../../src/revocation/revocation.ts';
import { rotateWhenDue } from '../../src/rotation/rotate-when-due.ts';
import { ALICE } from '../revocation/records.ts';
import { day, KEY, keyVersion, VAULTS, versionName } from '../support/keys.ts';
import { MemoryLeases } from '../support/memory-leases.ts';

// Guards invariant 1: who may write the container of the leases cannot have a key changed, nor a record forged or suppressed.

const NOW = day(60);
const AT = NOW.toISOString();
const FORGED = {
  id: 'key.restore/f00d/bob',
  from: versionName(1),
  at: AT,
  cause: 'forged',
  completes: false,
  until: day(59).toISOString(),
};

/** One look at the key, after the state of its lease was written by another hand. */
async function look(versions: readonly KeyVersion[], state: object = FORGED) {
  const leases = new MemoryLeases(() => NOW);
  const lease = await leases.acquire(`key/kv-files.vault.azure.net/${KEY.name}`);

  await lease?.save(state);
  await lease?.release();

  const written: { readonly version: string; readonly change: object }[] = [];
  const records: AuditEntry[] = [];
  const outcome = await rotateWhenDue(
    { kind: 'rotate', key: KEY.id, cause: { by: 'forged', ref: '', since: '' } },
    {
      settings: { vaults: VAULTS },
      keys: {
        listVersions: async () => [...versions],
        rotationPolicy: async () => ({ rotates: false }),
        rotate: async () => Promise.reject(new Error('It is not due.')),
        updateVersion: async (_, version, change) => {
          written.push({ version, change });
          return versions.find((one) => one.version === version) as KeyVersion;
        },
      },
      leases,
      orderStore: { read: async () => NO_ORDERS },
      dependents: async () => ({ answer: 'some' }),
      audit: async (entry) => {
        records.push(entry);
        return { written: { file: '', seq: 1, hash: '' } };
      },
      now: () => NOW,
    },
    () => {},
  );

  return { outcome, written, records };
}

describe('a forged state of a lease that says that a rotation was begun', () => {
  it('A forged rotation state enables no version that was disabled before the key was revoked', async () => {
    const revocation = { id: 'f00d', revokedOn: day(59), revokedBy: ALICE, version: versionName(1), wasEnabled: true };
    const revoked = keyVersion(1, { enabled: false, tags: { [REVOCATION_TAG]: formatRevocation(revocation) } });

    // A person has shut it long before: a record that says that it was on would have a restore open it.
    const shut = keyVersion(40, { enabled: false, updatedOn: day(41) });

    expect((await look([revoked, shut])).written).toEqual([]);

    // Nor one of yesterday.
    const lately = keyVersion(59, { enabled: false, updatedOn: day(59) });
    const later = { ...revocation, revokedOn: NOW };
    const tags = { [REVOCATION_TAG]: formatRevocation(later) };

    expect((await look([keyVersion(1, { enabled: false, tags }), lately])).written).toEqual([]);
  });

  it('A forged rotation state sets neither expiry nor tags on a version that a person created without', async () => {
    const first = keyVersion(1, { expiresOn: day(400), tags: { owner: 'files' } });
    expect(await look([first, keyVersion(40)])).toMatchObject({ written: [], records: [] });
    expect((await look([first, keyVersion(57)])).written).toEqual([]);
    const byHand = { 'cmk-rotation': 'manual' };
    expect((await look([first, keyVersion(60, { tags: byHand })])).written).toEqual([]);
    // Nor what another one had than the one before.
    const versions = [first, keyVersion(2, { expiresOn: day(400) }), keyVersion(60, { expiresOn: day(400) })];
    expect((await look(versions)).written).toEqual([]);
  });

  it('A forged rotation state chooses neither id nor words of the record, which says where it was found', async () => {
    const versions = [keyVersion(59, { expiresOn: day(400) }), keyVersion(60, { expiresOn: day(400) })];
    const { records } = await look(versions, { ...FORGED, from: versionName(59) });
    expect(records).toMatchObject([{ id: `key.rotate/${versionName(60)}`, details: { foundIn: 'cmk-leases' } }]);
    expect(JSON.stringify(records)).not.toMatch(/forged|restore/);
  });

  it('A forged rotation state leads to no write and no record where the app has rotated nothing for a week', async () => {
    const versions = [1, 20, 52].map((n) => keyVersion(n, { expiresOn: day(400), enabled: n !== 20 }));

    const state = fc.record(
      {
        id: fc.string(),
        from: fc.constantFrom(...[1, 20, 52, 99].map(versionName), '', 'forged'),
        cause: fc.string(),
        completes: fc.boolean(),
        until: fc.constantFrom(AT, '9999-12-31T23:59:59.999Z'),
      },
      { requiredKeys: [] },
    );

    await fc.assert(
      fc.asyncProperty(state, async (forged) => {
        expect(await look(versions, forged)).toMatchObject({ written: [], records: [] });
      }),
    );
  });
});
