import { describe, expect, it } from 'vitest';
import { SECOND_SUBSCRIPTION_ID, SUBSCRIPTION_ID } from '../../local/azure/constants.ts';
import type { DriftRun } from '../../src/drift/report/drift-run.ts';
import type { WholeReport } from '../../src/drift/report/report.ts';
import { runDriftCheck } from '../../src/drift/run-drift-check.ts';
import type { Services } from '../../src/services.ts';
import { TestKey } from '../support/fleet.ts';
import { useWire } from '../support/wire.ts';
import { outsider } from './outsider.ts';

// What cannot be read is a finding, and everything else is checked all the same.
const wire = useWire();
const listOf = (subscription: string) => `^/subscriptions/${subscription}/providers/Microsoft.Storage/storageAccounts`;

async function check(run: Partial<DriftRun> = {}, change: Partial<Services> = {}): Promise<WholeReport> {
  const services = { ...wire.services({ CMK_AUTOFIX: 'none' }), ...change };
  return runDriftCheck({ id: crypto.randomUUID(), by: 'operator', ...run }, services, wire.log);
}

const reasonsOf = (report: WholeReport, severity = 'error') =>
  report.findings.filter((finding) => finding.severity === severity).map(({ reason, resource }) => [reason, resource]);

function refuse(path: string, status: number, headers: Record<string, string> = {}, times?: number) {
  const error = { code: status === 429 ? 'TooManyRequests' : 'AuthorizationFailed', message: 'No.' };
  wire.azure.faults.add([
    { match: { method: 'GET', path }, ...(times ? { times } : {}), answer: { status, headers, body: { error } } },
  ]);
}

describe('a check that cannot read', () => {
  it('A check that cannot read a subscription names the missing right, and checks the other subscription', async () => {
    refuse(listOf(SUBSCRIPTION_ID), 403);

    const report = await check();
    expect(report.complete).toBe(false);
    expect(reasonsOf(report)).toEqual([
      ['MissingPermission', `/subscriptions/${SUBSCRIPTION_ID}`],
      ['Unreadable', `/subscriptions/${SUBSCRIPTION_ID}`],
    ]);
    expect(report.findings[0]?.shouldBe).toContain('Microsoft.Storage/storageAccounts/read');
    expect(report.coverage.subscriptions).toMatchObject([
      { id: SUBSCRIPTION_ID, accounts: 0, complete: false },
      { id: SECOND_SUBSCRIPTION_ID, accounts: 2, complete: true },
    ]);
  });

  it('A check that cannot read the keys of a vault behind a firewall reports that once, and accuses none of its accounts', async () => {
    const error = {
      code: 'Forbidden',
      message: 'Client address is not authorized.',
      innererror: { code: 'ForbiddenByFirewall' },
    };

    wire.azure.faults.add([{ match: { host: 'kv-files.vault.azure.net' }, answer: { status: 403, body: { error } } }]);

    const report = await check();
    const vault = wire.services().settings.vaults.byName('kv-files')?.id;

    expect(reasonsOf(report)).toEqual([
      ['MissingPermission', vault],
      ['Unreadable', vault],
    ]);
    expect(report.coverage).toMatchObject({ accounts: 14, dependents: 13, keys: 4 });
    expect(report.findings.some(({ resource }) => resource.includes('records-key'))).toBe(true);
  });

  it('A check that cannot read encryption scopes because of throttling reports that once for the subscription', async () => {
    refuse('/encryptionScopes', 429, { 'Retry-After': '30' });

    const report = await check();
    const told = [
      ['Unreadable', `/subscriptions/${SUBSCRIPTION_ID}`],
      ['Unreadable', `/subscriptions/${SECOND_SUBSCRIPTION_ID}`],
    ];

    expect(reasonsOf(report, 'warning')).toEqual(told);
    expect(report.coverage.accounts).toBe(14);

    // It may pass; when it does not, it is an error.
    const next = await check();
    expect(reasonsOf(next)).toEqual(told);
    expect(next.findings[0]?.since).toBe(report.startedOn);
  });

  it.each([
    ['the list of subscriptions', '^/subscriptions\\?', '/subscriptions'],
    ['the role assignments of a vault', 'kv-files/providers/Microsoft.Authorization/roleAssignments', 'kv-files'],
  ])('A check that cannot read %s reports that, and completes the rest', async (_, path, resource) => {
    refuse(path, 403);
    const report = await check();
    const told = report.findings.filter(({ reason }) => reason === 'Unreadable');
    expect(told.map((finding) => finding.resource)).toEqual([expect.stringContaining(resource)]);
    expect(report.findings.some(({ reason }) => reason === 'PinnedVersion' || reason === 'NoExpiry')).toBe(true);
    expect(reasonsOf(report).map(([reason]) => reason)).not.toContain('IdentityWithoutRole');
  });

  it("A check that cannot read the app's own storage runs all the same, and logs the report", async () => {
    const down = async (): Promise<never> => {
      throw Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });
    };
    const { driftStorage } = wire.services();
    const names = Object.keys(driftStorage) as (keyof typeof driftStorage)[];
    const broken = Object.fromEntries(names.map((name) => [name, down])) as unknown as typeof driftStorage;
    const report = await check({}, { driftStorage: broken });

    expect(report.coverage.accounts).toBe(14);
    expect(wire.records.map(({ reason }) => reason)).toEqual(
      expect.arrayContaining(['DriftReportNotWritten', 'DriftChecked', 'Unreadable']),
    );
  });
});

describe('the findings of a subscription that cannot be read', () => {
  it('The findings of a subscription that cannot be read are not gone, and not new when it can be read again', async () => {
    const { account } = pinnedBack();
    const since = (report: WholeReport) => report.findings.find(({ resource }) => resource === account.id)?.since;
    const before = await check();

    expect(since(before)).toBeDefined();

    refuse(listOf(SUBSCRIPTION_ID), 403);

    const hidden = await check();
    expect(since(hidden)).toBeUndefined();
    expect(hidden.unseen.map(({ since: at }) => at)).toContain(since(before));
    expect(hidden.counts.gone).toBe(0);
    expect(hidden.findings.map(({ reason }) => reason)).not.toContain('RetirableVersion');

    wire.azure.faults.clear();

    const after = await check();
    expect(since(after)).toBe(since(before));
    expect(after).toMatchObject({ complete: true, unseen: [], counts: { new: 0 } });
  });

  /** An account that is pinned to an older version. */
  function pinnedBack() {
    const key = new TestKey(wire.azure.world);
    const account = key.account('pinned');
    key.add();
    return { account };
  }
});

it.each([
  ['keys that can be read', () => {}, []],
  ['roles that the move left behind', () => refuseKeys('kv-files'), ['MissingPermission', 'Unreadable']],
])('a vault that was moved, with %s, is neither gone nor its keys deleted', async (_, prepare, unread) => {
  const { settings } = wire.services();
  const id = settings.vaults.byName('kv-files')?.id ?? '';
  const CMK_VAULTS = id.replace('/resourceGroups/rg-keys/', '/resourceGroups/rg-old/');

  prepare();

  const report = await check({}, wire.services({ CMK_AUTOFIX: 'none', CMK_VAULTS }));
  expect(reasonsOf(report)).toEqual(unread.map((reason) => [reason, CMK_VAULTS]));
  expect(reasonsOf(report, 'warning')).toContainEqual(['VaultNotFound', CMK_VAULTS]);
  expect(report.findings.flatMap(({ command = '' }) => command).join()).not.toContain('recover');
});

function refuseKeys(vault: string): void {
  const error = { code: 'Forbidden', message: 'No.', innererror: { code: 'ForbiddenByRbac' } };
  wire.azure.faults.add([{ match: { host: `${vault}.vault.azure.net` }, answer: { status: 403, body: { error } } }]);
}

it('a vault that is gone is one finding, and one for each account that needs it', async () => {
  await outsider(wire.azure).vaults.vaults.delete('rg-keys', 'kv-records');

  const report = await check();
  const { vaults } = wire.services().settings;
  const records = [...wire.azure.world.storageAccounts.values()].filter(({ name }) => name.startsWith('strecords'));

  expect(reasonsOf(report)).toEqual([
    ...records.map(({ id }) => ['KeyDeleted', id]),
    ['VaultNotFound', vaults.byName('kv-records')?.id],
  ]);
  expect(report.findings[0]?.is).toContain('The vault kv-records with its key records-key no longer exists');
  expect(report.complete).toBe(true);
});
