import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { CLIENT_IDS, CMK_API_AUDIENCE } from '../../local/azure/constants.ts';
import type { DriftReport } from '../../src/drift/report/report.ts';
import { arm, signIn, writeAccount } from '../local-azure/support.ts';
import { useApp } from '../support/app.ts';
import { cmk } from '../support/cmk.ts';
import { eventually } from '../support/eventually.ts';
import { group, setBack, storageIdentity, TestKey } from '../support/fleet.ts';
import { wordsOf } from '../support/pasted.ts';

const app = useApp();
afterEach(() => app.azure.faults.clear());

/** The newest report. */
const reported = (): Promise<DriftReport> =>
  eventually('the report is read', async () => {
    const answer = await app.call('operator', 'GET', '/drift');
    const report = await answer.json();
    return answer.status === 200 && (report as DriftReport);
  });

let files: TestKey;
let newest: string;
const pinnedTo = (account: string) =>
  app.azure.world.storageAccounts.get(account.split('/').at(-1) ?? '')?.encryption.keyvaultproperties?.keyversion;

async function pinBack(account: string): Promise<void> {
  const keyvaultproperties = {
    keyname: files.name,
    keyversion: files.first.version,
    keyvaulturi: `https://${files.vault.name}.vault.azure.net`,
  };
  const identity = { userAssignedIdentity: storageIdentity(app.azure.world).id };
  const body = { properties: { encryption: { keySource: 'Microsoft.Keyvault', keyvaultproperties, identity } } };
  await writeAccount(app.azure, account, body);
}

let accounts: string[];
beforeAll(async () => {
  await app.listed();
  files = new TestKey(app.azure.world);
  const made = [files.account(), files.account(), files.account(), files.account()];
  accounts = made.map(({ id }) => id);
  await app.found();
  newest = files.rotate().version;
  await eventually('the accounts follow', () => accounts.every((id) => pinnedTo(id) === newest));
  await app.settled();
  await app.checkDrift();
});

describe('a change whose event', () => {
  it('A change whose event is lost is found and repaired by the next whole check', async () => {
    const [account = ''] = accounts;
    app.azure.faults.add([{ match: { delivery: true, function: 'resourceChanged' }, drop: true }]);
    await pinBack(account);
    await app.checkDrift();
    await eventually('the account is repaired', () => pinnedTo(account) === newest);
  });

  it('A change whose event comes three times, late and out of order is found once and repaired', async () => {
    const [, account = ''] = accounts;

    app.azure.faults.add([
      { match: { delivery: true, function: 'resourceChanged' }, times: 1, duplicate: 3 },
      { match: { delivery: true, function: 'resourceChanged' }, times: 1, reorder: true },
      { match: { delivery: true, function: 'resourceChanged' }, times: 1, delayMs: 2_000 },
    ]);

    await pinBack(account);
    await writeAccount(app.azure, account, { tags: { a: '1' } });
    await writeAccount(app.azure, account, { tags: { a: '2' } });
    await eventually('the account is repaired', () => pinnedTo(account) === newest);

    const { changes, findings } = await eventually('its findings are gone', async () => {
      const report = await reported();
      return report.findings.every(({ resource }) => resource !== account) && report;
    });
    expect(findings.filter(({ resource }) => resource === account)).toEqual([]);

    const told = app.records().filter((one) => one.reason === 'VersionReverted' && one.account === account);
    expect(told.length).toBeLessThanOrEqual(1);
    expect(changes.filter((one) => one.found.some(({ resource }) => resource === account)).length).toBeLessThanOrEqual(
      1,
    );
  });
});

describe('a change of a resource that is neither account nor vault', () => {
  /** Waits for the change that made or ended a finding, with its caller. */
  const noted = (part: 'found' | 'gone', resource: string, operation: string) =>
    eventually(`${operation}: ${part}`, async () =>
      (await reported()).changes.find((one) => {
        const { objectId } = signIn(app.azure, 'owner');
        const isOf = one.operation === operation && one.objectId === objectId;
        return isOf && one[part].some((of) => of.resource === resource);
      }),
    );

  const rg = () => group(app.azure.world).id;

  it('A change of a disk encryption set or a SQL server to an old version and forward again is found with its author', async () => {
    const key = new TestKey(app.azure.world);
    const newer = key.add();

    for (const version of [key.first, newer]) setBack(version, 2 * 86_400);

    const set = `${rg()}/providers/Microsoft.Compute/diskEncryptionSets/des-${key.name}`;
    const server = `${rg()}/providers/Microsoft.Sql/servers/sql-${key.name}`;

    await arm(app.azure, 'PUT', server, { body: { location: 'westeurope' } });

    const pointTo = async (version: typeof newer) => {
      const activeKey = { keyUrl: key.id(version) };
      await arm(app.azure, 'PUT', set, { body: { location: 'westeurope', properties: { activeKey } } });
      const serverKeyName = `${key.vault.name}_${key.name}_${version.version}`;
      const properties = { serverKeyType: 'AzureKeyVault', serverKeyName };
      await arm(app.azure, 'PUT', `${server}/encryptionProtector/current`, { body: { properties } });
    };

    const parts = [
      ['found', key.first],
      ['gone', newer],
    ] as const;

    for (const [part, version] of parts) {
      await pointTo(version);
      await noted(part, set, 'Microsoft.Compute/diskEncryptionSets/write');
      await noted(part, server, 'Microsoft.Sql/servers/encryptionProtector/write');
    }
  });
});

describe('an account that is changed again after two repairs within an hour', () => {
  it('An account that is changed again after two repairs within an hour is not repaired until an operator releases it', async () => {
    const account = accounts[3] ?? '';

    for (const repair of ['first', 'second']) {
      await pinBack(account);
      await eventually(`the ${repair} repair`, () => pinnedTo(account) === newest);
    }

    await pinBack(account);

    const isContested = ({ reason, resource }: { reason: string; resource: string }) =>
      reason === 'ContestedChange' && resource === account;
    const contested = await eventually('it is contested', async () => (await reported()).findings.find(isContested));
    const { objectId } = signIn(app.azure, 'owner');

    expect(contested).toMatchObject({
      is: expect.stringMatching(/ changed it on .+, after the app had repaired it twice within an hour;/),
      changedBy: { objectId, client: CLIENT_IDS.owner },
    });

    await app.checkDrift();
    await app.settled();

    expect(pinnedTo(account)).toBe(files.first.version);

    const rotation = await app.call('operator', 'GET', `/rotations/${files.vault.name}/${files.name}`);
    expect(await rotation.json()).toMatchObject({ state: 'held', reason: 'ContestedChange', waiting: 1 });

    signIn(app.azure, 'owner').appRoles.push('Cmk.Operate');

    const env = { CMK_API: `${app.url}/api`, CMK_API_AUDIENCE };
    const { code, output } = await cmk(app.azure, wordsOf(contested.command ?? ''), { env });

    expect([code, output]).toEqual([0, expect.stringContaining(`The app repairs ${account} again.`)]);

    await eventually('it is repaired', () => pinnedTo(account) === newest);
    await eventually('its findings are gone', async () =>
      (await reported()).findings.every(({ resource }) => resource !== account),
    );
  });
});
