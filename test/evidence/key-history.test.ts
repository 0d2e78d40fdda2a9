import { expect, it } from 'vitest';
import { toKeyHistory } from '../../src/evidence/key-history.ts';
import { readKeyTrail } from '../../src/evidence/read-key-trail.ts';
import type { KeyVersion } from '../../src/keys/key-versions.ts';
import { accountId, KEY, moved, NEW, OLD, REVOKER, revoked, rotated } from './entries.ts';
import { PeriodTrail } from './period-trail.ts';

const NOW = new Date('2026-11-24T12:00:00Z');

function version(name: string, createdOn: string, more: Partial<KeyVersion> = {}): KeyVersion {
  return {
    id: `${KEY}/${name}`,
    keyName: 'files-key',
    version: name,
    enabled: true,
    createdOn: new Date(createdOn),
    updatedOn: undefined,
    notBefore: undefined,
    expiresOn: undefined,
    tags: {},
    latest: false,
    ...more,
  };
}

/** A trail that begins a day before the newer version was created. */
function trail(): PeriodTrail {
  const records = new PeriodTrail();
  records.append('2026-11-01T10:00:00Z', { action: 'fleet.pause', reason: 'Paused', resource: 'cmk-autopilot/keys' });
  records.append('2026-11-02T10:00:00Z', rotated(OLD, NEW));
  records.append('2026-11-02T10:00:01Z', moved('stone', NEW));
  records.append('2026-11-02T12:30:00Z', moved('stlate', NEW));
  const details = { foundIn: 'cmkfleet', movedOn: '2026-11-02T18:00:00.000Z' };
  records.append('2026-11-03T10:00:00Z', moved('stauto', NEW, { reason: 'PickUpObserved', details }));
  records.append('2026-11-04T10:00:00Z', revoked());
  return records;
}

const VERSIONS = [version(OLD, '2026-01-01T00:00:00Z'), version(NEW, '2026-11-02T10:00:00Z')];

async function history(records: PeriodTrail, mostBytes = Number.POSITIVE_INFINITY, versions = VERSIONS) {
  return toKeyHistory(KEY, versions, await readKeyTrail(records.files, KEY, mostBytes), NOW);
}

const at = (name: string, on: string) => ({ account: accountId(name).toLowerCase(), scope: undefined, on });

it('The history of a version has its creation, its first and last account, and the moves by the app and by Azure', async () => {
  const { since, whole, versions } = await history(trail());
  expect({ since, whole }).toEqual({ since: '2026-11-01T10:00:00.000Z', whole: true });
  expect(versions.map((one) => one.version)).toEqual([NEW, OLD]);
  expect(versions[0]).toMatchObject({
    state: 'Usable',
    complete: true,
    created: { on: '2026-11-02T10:00:00.000Z', by: undefined },
    moved: 2,
    pickedUp: 1,
    perhapsMoved: 0,
    first: at('stone', '2026-11-02T10:00:01.000Z'),
    last: at('stauto', '2026-11-02T18:00:00.000Z'),
    changes: [{ did: 'revoked', by: { name: REVOKER.name }, why: 'Key leaked', ticket: 'INC-1' }],
  });
});

it('A move by the app is late after an hour, and one by Azure after a day', async () => {
  const [newest] = (await history(trail())).versions;
  expect(newest?.late).toEqual([{ ...at('stlate', '2026-11-02T12:30:00.000Z'), seconds: 9_000 }]);
});

it('The history of a version that is older than the trail is incomplete: what it lacks is unknown', async () => {
  const records = trail();
  records.append('2026-11-05T10:00:00Z', moved('stold', OLD));
  const old = (await history(records)).versions[1];
  expect(old).toMatchObject({ version: OLD, complete: false, moved: 1, last: at('stold', '2026-11-05T10:00:00.000Z') });
  expect(old?.first).toBeUndefined();
  expect(old?.created).toBeUndefined();
});

it('A read that reaches its limit leaves the versions before it incomplete', async () => {
  const { since, whole, versions } = await history(trail(), 1);
  expect({ since, whole }).toEqual({ since: '2026-11-04T10:00:00.000Z', whole: false });
  expect(versions.map(({ complete, moved: count }) => [complete, count])).toEqual([
    [false, 0],
    [false, 0],
  ]);
});

it('The history keeps a version that Key Vault has no longer, with neither state nor late moves', async () => {
  const { versions } = await history(trail(), undefined, VERSIONS.slice(0, 1));
  const gone = versions.find((one) => one.version === NEW);
  expect(gone).toMatchObject({ moved: 2, pickedUp: 1, complete: false });
  expect(gone?.state).toBeUndefined();
  expect(gone?.late).toBeUndefined();
});

it('A record that was changed after it was written, and one of another key, are no part of the history', async () => {
  const records = trail();
  const other = `${KEY}-2`;
  records.append('2026-11-05T10:00:00Z', moved('stother', NEW, {}, other));
  records.tamper('2026-11-02.jsonl', (text) => text.replace('storageAccounts/stone', 'storageAccounts/stxyz'));
  const [newest] = (await history(records)).versions;
  expect(newest).toMatchObject({ moved: 1, first: at('stlate', '2026-11-02T12:30:00.000Z') });
});
