import { TableClient } from '@azure/data-tables';
import { BlobServiceClient } from '@azure/storage-blob';
import { expect, it } from 'vitest';
import type { AuditEntry } from '../../src/audit/record.ts';
import { useApp } from '../support/app.ts';
import { auditEntries } from '../support/audit-lines.ts';
import { eventually } from '../support/eventually.ts';
import { inUse } from '../support/fleet.ts';
import { loadState, STATE, setFleet } from './version-2-state.ts';

const app = useApp({
  async prepare({ world }, connectionString) {
    setFleet(world);
    await loadState(connectionString);
  },
});

const [OLD, NEW] = STATE.versions['kv-files/files-key'] ?? [];

const encryptionOf = (account: string) => app.azure.world.storageAccounts.get(account)?.encryption;
const versionOf = (account: string) => inUse(app.azure.world.storageAccounts.get(account));
type MoveEntry = AuditEntry & { readonly details: { readonly scope?: string; readonly to: string } };

/** Account, scope and version of each record of a move, as readers see them: one for each id. */
async function movesRecorded(): Promise<string[]> {
  const entries = await auditEntries<MoveEntry>(app.connectionString);
  const moves = entries.filter(({ action }) => action === 'account.move' || action === 'account.rekey');
  return [...new Map(moves.map((entry) => [entry.id, entry])).values()]
    .map(({ resource = '', details: { scope, to } }) =>
      [resource.split('/').at(-1), ...(scope ? [scope] : []), to.split('/').at(-1)].join(' '),
    )
    .sort();
}

const rowsOf = (partition: string) =>
  TableClient.fromConnectionString(app.connectionString, 'cmkfleet', { allowInsecureConnection: true }).listEntities({
    queryOptions: { filter: `PartitionKey eq '${partition}'` },
  });

/** Kinds of the work items that no pass has worked on, but for keys: what is paused, or has no access, is tried again. */
async function unreadWork(): Promise<string[]> {
  const kinds: string[] = [];
  for await (const { kind, attempts } of rowsOf('work'))
    if (kind !== 'key' && attempts === '0') kinds.push(String(kind));
  return kinds;
}

it('what version 2 had begun is finished, recorded once, and reported where nothing carries it on', async () => {
  const [target] = STATE.versions['kv-records/records-new'] ?? [];
  await app.listed();
  const { findings } = await app.checkDrift();
  const legacy = findings.filter(({ reason }) => reason.startsWith('Legacy')).map(({ reason, fix }) => [reason, fix]);
  expect(legacy.sort()).toEqual([
    ['LegacyApproval', expect.stringMatching(/Entra/)],
    ['LegacyOrder', expect.stringMatching(/rekey/)],
    ['LegacyRevocation', expect.stringMatching(/cmk account restore/)],
  ]);
  expect(findings.filter(({ reason }) => /AuditTrail|Poison/.test(reason))).toEqual([]);
  await eventually('stfiles02 has moved', () => versionOf('stfiles02') === NEW);
  // A PATCH of version 2 lands late. Then comes the next sweep, and what was in flight is verified.
  await app.atRest();
  Object.assign(encryptionOf('strecords02') ?? {}, {
    keyvaultproperties: {
      ...encryptionOf('strecords01')?.keyvaultproperties,
      lastKeyRotationTimestamp: app.azure.clock.now().toISOString(),
    },
  });
  await app.advance(125_000);
  const recorded = [
    ...['stfiles01', 'stfiles02', 'stfiles03', 'stfiles04', 'stfiles05', 'stfiles06', 'stfiles06 scope1'],
    ...['stfiles07', 'stfiles08'],
  ].map((use) => `${use} ${NEW}`);
  const expected = [...recorded, `strecords01 ${target}`, `strecords02 ${target}`].sort();
  await eventually('all is recorded', async () => (await movesRecorded()).length >= expected.length);
  await app.atRest();
  await app.advance(125_000);
  await app.atRest();
  await eventually('all is read again', async () => (await unreadWork()).length === 0);
  expect(await movesRecorded()).toEqual(expected);

  // A pause holds, and so does what was revoked.
  expect(versionOf('starchive01')).toBe(STATE.versions['kv-files/archive-key']?.[0]);
  expect(versionOf('stcut01')).toBe(OLD);
  const reasons = app.records().map(({ reason }) => reason);
  expect(reasons).toEqual(expect.arrayContaining(['LeaseTakenOver']));
  for (const queue of ['key-work', 'fleet-work', 'notify-work']) {
    expect(await app.count(`${queue}-poison`), queue).toBe(0);
  }

  // Signed heads stay for who has to prove the time before.
  const heads = BlobServiceClient.fromConnectionString(app.connectionString).getContainerClient('cmk-audit-heads');
  for (const name of Object.keys(STATE.blobs).filter((path) => path.startsWith('cmk-audit-heads/'))) {
    expect(await heads.getBlobClient(name.slice('cmk-audit-heads/'.length)).exists()).toBe(true);
  }

  const resume = { reason: 'The archive has moved', key: 'kv-files/archive-key' };
  expect((await app.call('operator', 'POST', '/resume', resume)).status).toBe(200);
  const newest = STATE.versions['kv-files/archive-key']?.[1];
  await eventually('what was paused has moved', () => versionOf('starchive01') === newest);
});
