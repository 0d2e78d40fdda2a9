import { describe, expect, it } from 'vitest';
import { parseKeyRecord } from '../../src/drift/gather/known-revocations.ts';
import type { KeyGrant } from '../../src/identities/key-grants.ts';
import { createKeyTrail } from '../../src/revocation/key-trail.ts';
import { findRestorable, listRestored } from '../../src/role-revocation/restore-roles.ts';
import { createRoleEntry, readRoleRevocations, splitForRecords } from '../../src/role-revocation/role-records.ts';
import { KEY } from '../drift/checks/subjects.ts';
import { MemoryTrail } from '../support/memory-trail.ts';

const NOW = new Date('2026-12-07T08:00:00Z');
const ADA = '11111111-1111-4111-8111-111111111111';
const BOB = '22222222-2222-4222-8222-222222222222';

const grant = (n: number, scope = KEY.vault.id): KeyGrant => ({
  kind: 'role',
  name: `${String(n).padStart(8, '0')}-bbbb-4bbb-8bbb-bbbbbbbbbbbb`,
  scope,
  principalId: ADA,
  principalType: 'ServicePrincipal',
});
const call = (objectId: string) => ({
  caller: { objectId, appId: 'cmk' },
  correlationId: 'c1',
  why: 'test',
  ticket: undefined,
});

async function trailOf(...entries: Parameters<MemoryTrail['audit']>[0][]): Promise<MemoryTrail> {
  const trail = new MemoryTrail(() => NOW);
  for (const entry of entries) await trail.audit(entry, 0);
  return trail;
}

const begun = (id: string, removes: readonly KeyGrant[], by = ADA) =>
  createRoleEntry('key.revokeRoles', 'RoleRevocationBegun', KEY, id, call(by), { removes });
const restored = (id: string) => createRoleEntry('key.restoreRoles', 'RolesRestored', KEY, id, call(BOB), {});

describe('the records of a revocation by roles', () => {
  it('A revocation by roles has every assignment of its parts once, and everyone who took part', async () => {
    const trail = await trailOf(begun('r1', [grant(1), grant(2)]), begun('r1', [grant(2), grant(3)], BOB));
    const [found] = await readRoleRevocations(trail.files, KEY);
    expect(found?.removes.map(({ name }) => name)).toEqual([1, 2, 3].map((n) => grant(n).name));
    expect([...(found?.revokedBy ?? [])]).toEqual([ADA, BOB]);
    expect(begun('r1', [grant(1)]).id).toBe(begun('r1', [grant(1)], BOB).id);
  });

  it('A record of many assignments is split below the limits of the trail', () => {
    const description = 'd'.repeat(4_000);
    expect(splitForRecords(Array.from({ length: 1_001 }, (_, n) => grant(n))).map((part) => part.length)).toEqual([
      500, 500, 1,
    ]);
    for (const part of splitForRecords(Array.from({ length: 400 }, (_, n) => ({ ...grant(n), description })))) {
      expect(Buffer.byteLength(JSON.stringify(part))).toBeLessThan(512 * 1024);
    }
  });

  it('No record of a revocation by roles counts as a revocation of the key itself', async () => {
    const trail = await trailOf(begun('r1', [grant(1)]), restored('r1'));
    expect(await createKeyTrail(trail.files)(KEY, new Date(0))).toEqual([]);
    expect(trail.entries.map((entry) => parseKeyRecord(entry))).toEqual([undefined, undefined]);
  });

  it('Who revoked by roles cannot restore, and an older revocation cannot undo a newer one', async () => {
    const trail = await trailOf(begun('r1', [grant(1)]), restored('r1'), begun('r2', [grant(1)]));
    const find = (revocation: string, restoredBy: string) =>
      findRestorable(trail.files, KEY, { revocation, restoredBy, dualControl: true });
    expect(await find('r2', ADA)).toEqual({ refused: 'SecondPersonNeeded' });
    expect(await find('r1', BOB)).toMatchObject({ refused: 'OtherRevocation', open: { id: 'r2' } });
    expect(await find('R2', BOB)).toMatchObject({ found: { id: 'r2' } });
    await trail.audit(restored('r2'), 0);
    expect(await find('r2', BOB)).toEqual({ refused: 'AlreadyRestored' });
  });

  it('A restore assigns nothing outside of the key and its vault, whatever a record says', () => {
    const own = [grant(1), grant(2, `${KEY.vault.id}/keys/${KEY.name}`)];
    const foreign = [grant(3, '/subscriptions/s'), grant(4, `${KEY.vault.id}-2`), grant(5, `${KEY.vault.id}/keys/x`)];
    expect(listRestored(KEY, [...own, ...foreign])).toEqual(own);
  });
});
