import { describe, expect, it } from 'vitest';
import { CLIENT_IDS } from '../../local/azure/constants.ts';
import type { DriftReport } from '../../src/drift/report/report.ts';
import type { FleetListAnswer } from '../../src/status/fleet-schemas.ts';
import { useApp } from '../support/app.ts';
import { eventually } from '../support/eventually.ts';
import { outsider } from './outsider.ts';

// The bundled app in its host. Event Grid is down for good: what happens, happens by the timer alone.
const app = useApp({
  prepare: (azure) => azure.faults.add([{ match: { delivery: true }, drop: true }]),
});

/** Starts the hourly check now, as the host's timer does. */
async function checkDrift(): Promise<void> {
  const headers = { 'content-type': 'application/json' };
  const answer = await fetch(`${app.url}/admin/functions/driftCheck`, {
    method: 'POST',
    headers,
    body: '{"input":""}',
  });
  expect(answer.status).toBe(202);
}

it('without any event, a rotated key reaches every pinned account, and no step fails', async () => {
  const keys = outsider(app.azure).keys('kv-files');
  const { properties } = await keys.rotateKey('files-key');
  const accounts = [...app.azure.world.storageAccounts.values()].filter(({ name }) => /^stfiles0[1-6]$/.test(name));

  await checkDrift();

  await eventually(
    'all six accounts and the scope on the new version',
    () =>
      accounts.every(({ encryption }) => encryption.keyvaultproperties?.keyversion === properties.version) &&
      accounts.some(({ encryptionScopes }) =>
        encryptionScopes.get('scope1')?.keyVaultProperties?.keyUri?.endsWith(properties.version ?? '?'),
      ),
  );

  expect(accounts).toHaveLength(6);

  await app.settled();

  expect(app.records().filter(({ reason }) => reason === 'Poisoned' || reason === 'Unexpected')).toEqual([]);

  // And it was not an event.
  expect(app.records().some(({ reason }) => reason === 'EventAccepted')).toBe(false);
});

describe('the drift calls', () => {
  it('The drift calls show the newest report, one by its id, and the history', async () => {
    const newest = await app.call('revoker', 'GET', '/drift');
    expect(newest.status).toBe(200);
    expect(newest.headers.get('cache-control')).toBe('no-store');

    const report = (await newest.json()) as DriftReport;
    expect(report).toMatchObject({ version: 2, by: 'timer', coverage: { accounts: 14, dependents: 13 } });
    expect(await (await app.call('revoker', 'GET', `/drift/${report.id}`)).json()).toEqual(report);

    const { reports } = (await (await app.call('revoker', 'GET', '/drift/history')).json()) as {
      reports: { id: string }[];
    };
    expect(reports.map(({ id }) => id)).toContain(report.id);
  });

  it('The drift calls run a check for an operator, who is named in the report', async () => {
    const operator = app.azure.world.principals.get(CLIENT_IDS.operator);
    expect(await app.checkDrift()).toMatchObject({ by: 'operator', caller: operator?.objectId });
  });
});

describe('GET /api/fleet, in a host that joins repeated parameters', () => {
  const fleet = async (query: string) => {
    const answer = await app.call('revoker', 'GET', `/fleet?${query}`);
    return { status: answer.status, ...((await answer.json()) as Partial<FleetListAnswer>) };
  };

  it('GET /api/fleet accepts several values of a filter, on later pages too, in a host that joins repeated parameters', async () => {
    const query = 'key=archive-key&key=records-key&health=Serving&health=Stale&top=3';
    const first = await fleet(query);
    expect({ ...first, value: first.value?.map(({ name }) => name) }).toMatchObject({
      status: 200,
      value: ['starchive01', 'starchive02', 'strecords01'],
    });
    const second = await fleet(first.nextLink?.split('?')[1] ?? '');
    expect(second.value?.map(({ name }) => name)).toEqual(['strecords02']);
  });
});
