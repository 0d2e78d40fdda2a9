import { randomUUID } from 'node:crypto';
import { beforeAll, describe, expect, it } from 'vitest';
import { CLIENT_IDS } from '../../local/azure/constants.ts';
import { rotateKey } from '../../local/azure/key-vault/keys.ts';
import { BUILT_IN_ROLES } from '../../local/azure/roles/built-in-roles.ts';
import type { DriftChange } from '../../src/drift/report.ts';
import type { NowAnswer } from '../../src/views/now-schemas.ts';
import { type ArmBody, arm, signIn } from '../local-azure/support.ts';
import { useApp } from '../support/app.ts';
import { cmk } from '../support/cmk.ts';
import { eventually } from '../support/eventually.ts';
import { group, storageIdentity, TestKey } from '../support/fleet.ts';
import { wordsOf } from '../support/pasted.ts';

const app = useApp({ env: { CMK_AUTOFIX: 'none' } });
const key = (vault?: string) => new TestKey(app.azure.world, vault);
const owner = () => signIn(app.azure, 'owner').objectId;

const driftNow = async () =>
  ((await (await app.call('operator', 'GET', '/now')).json()) as NowAnswer).drift?.value?.report;

/** The change of a resource that made or ended a finding, as `GET /api/now` shows it. */
function shown(part: 'found' | 'gone', reason: string, resource: string): Promise<DriftChange> {
  return eventually(`${reason} of ${resource} is ${part}`, async () => {
    const changes = (await driftNow())?.changes ?? [];
    return changes.find((change) =>
      change[part].some((one) => one.reason === reason && one.resource.toLowerCase() === resource.toLowerCase()),
    );
  });
}

async function change(method: string, path: string, body?: unknown): Promise<ArmBody> {
  const answer = await arm(app.azure, method, path, body === undefined ? {} : { body });
  if (answer.status >= 300) throw new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
  return answer.body;
}

const encrypt = (of: TestKey, version: string) => ({
  properties: {
    encryption: {
      keySource: 'Microsoft.Keyvault',
      keyvaultproperties: {
        keyname: of.name,
        keyversion: version,
        keyvaulturi: `https://${of.vault.name}.vault.azure.net`,
      },
      identity: { userAssignedIdentity: storageIdentity(app.azure.world).id },
    },
  },
});

/** Gives the identity of the accounts its role on the keys of a vault. */
const allow = (vault: string) =>
  change('PUT', `${vault}/providers/Microsoft.Authorization/roleAssignments/${randomUUID()}`, {
    properties: {
      roleDefinitionId: BUILT_IN_ROLES['Key Vault Crypto Service Encryption User'].id,
      principalId: storageIdentity(app.azure.world).principalId,
      principalType: 'ServicePrincipal',
    },
  });

/** Waits until the app has sent no request for three seconds. */
function idle(): Promise<true> {
  let [last, since] = [app.azure.requests.last, Date.now()];
  return eventually('the app is idle', async () => {
    if (app.azure.requests.last !== last) [last, since] = [app.azure.requests.last, Date.now()];
    return Date.now() - since >= 3_000 ? true : undefined;
  });
}

/** The command that a cause of the report prints; an answer has no report while it is being read. */
function printedFor(reason: string): Promise<string> {
  return eventually(
    `${reason} prints a command`,
    async () => (await driftNow())?.causes.find((cause) => cause.reason === reason)?.commands[0],
  );
}

async function runPrinted(reason: string): Promise<void> {
  const words = wordsOf(await printedFor(reason));
  const { code, output } = await cmk(app.azure, [...words, '--yes']);
  expect([code, output]).toEqual([0, expect.any(String)]);
}

const byOwner = () => ({ objectId: owner(), client: CLIENT_IDS.owner, confirmed: expect.any(Boolean) });

/** Files of one test: accounts on the second version of a key, as the first check saw them. */
let files: TestKey;
let newest: string;
let accounts: Record<string, string>;

beforeAll(async () => {
  await app.listed();
  files = key();
  const on = ['back', 'plain', 'scoped'].map((name) => [name, files.account()] as const);
  accounts = Object.fromEntries(on.map(([name, { id }]) => [name, id]));
  await app.found();
  app.azure.clock.advance(1_000);
  newest = rotateKey(app.azure.world, files.vault, files.name).version;
  await eventually('the accounts follow', () =>
    on.every(([, { encryption }]) => encryption.keyvaultproperties?.keyversion === newest),
  );
  await app.settled();
  await app.checkDrift();
});

const account = (name: string): string => accounts[name] ?? '';

describe('a change in Azure is on the page within seconds, with who made it', () => {
  it('as the account that is pinned back, until the printed command has moved it', async () => {
    await change('PATCH', account('back'), encrypt(files, files.first.version));
    expect(await shown('found', 'VersionReverted', account('back'))).toMatchObject({
      ...byOwner(),
      operation: 'Microsoft.Storage/storageAccounts/write',
    });
    await runPrinted('VersionReverted');
    await shown('gone', 'VersionReverted', account('back'));
  });

  it('as the account that is put on Microsoft-managed keys, until the printed command has put it back', async () => {
    await change('PATCH', account('plain'), { properties: { encryption: { keySource: 'Microsoft.Storage' } } });
    expect(await shown('found', 'NoLongerCustomerManaged', account('plain'))).toMatchObject(byOwner());
    await runPrinted('NoLongerCustomerManaged');
    await shown('gone', 'NoLongerCustomerManaged', account('plain'));
  });

  it('as the encryption scope that is moved to an older version', async () => {
    const scope = `${account('scoped')}/encryptionScopes/scope1`;
    const put = (version: string) =>
      change('PUT', scope, {
        properties: { source: 'Microsoft.KeyVault', keyVaultProperties: { keyUri: `${files.id()}/${version}` } },
      });
    await put(newest);
    await put(files.first.version);
    expect(await shown('found', 'ScopeStaleKeyVersion', scope)).toMatchObject({
      ...byOwner(),
      operation: 'Microsoft.Storage/storageAccounts/encryptionScopes/write',
    });
    await put(newest);
    expect(await shown('gone', 'ScopeStaleKeyVersion', scope)).toMatchObject(byOwner());
  });

  it('as the account that is created on an older version, and the one that is deleted', async () => {
    const id = `${group(app.azure.world).id}/providers/Microsoft.Storage/storageAccounts/st${randomUUID().slice(0, 8)}`;
    const identity = storageIdentity(app.azure.world).id;
    // A pass of the test before would move the account before its event is checked.
    await idle();
    await change('PUT', id, {
      ...{ location: 'westeurope', sku: { name: 'Standard_LRS' }, kind: 'StorageV2' },
      identity: { type: 'UserAssigned', userAssignedIdentities: { [identity]: {} } },
      ...encrypt(files, files.first.version),
    });
    expect(await shown('found', 'StaleKeyVersion', id)).toMatchObject(byOwner());
    await change('DELETE', id);
    expect(await shown('gone', 'StaleKeyVersion', id)).toMatchObject({
      ...byOwner(),
      operation: 'Microsoft.Storage/storageAccounts/delete',
    });
  });

  it('as the role that is taken from the identity of accounts, and given again', async () => {
    const vault = files.vault.id;
    const { principalId } = storageIdentity(app.azure.world);
    const grants = [...app.azure.world.roleAssignments.values()].filter(
      (grant) => grant.scope.toLowerCase() === vault.toLowerCase() && grant.principalId === principalId,
    );
    for (const { id } of grants) await change('DELETE', id);
    expect(await shown('found', 'IdentityWithoutRole', account('back'))).toMatchObject({
      ...byOwner(),
      operation: 'Microsoft.Authorization/roleAssignments/delete',
    });
    await allow(vault);
    expect(await shown('gone', 'IdentityWithoutRole', account('back'))).toMatchObject(byOwner());
  });

  it('as the firewall of a vault that is closed, and opened again', async () => {
    const { id } = files.vault;
    await change('PATCH', id, { properties: { networkAcls: { defaultAction: 'Deny', bypass: 'None' } } });
    expect(await shown('found', 'VaultUnreachable', id)).toMatchObject({
      ...byOwner(),
      operation: 'Microsoft.KeyVault/vaults/write',
    });
    await change('PATCH', id, { properties: { networkAcls: { defaultAction: 'Allow', bypass: 'AzureServices' } } });
    expect(await shown('gone', 'VaultUnreachable', id)).toMatchObject(byOwner());
  });

  it('as the identity of accounts that is deleted', async () => {
    const { id } = storageIdentity(app.azure.world);
    await change('DELETE', id);
    expect(await shown('found', 'IdentityDeleted', account('scoped'))).toMatchObject({
      ...byOwner(),
      operation: 'Microsoft.ManagedIdentity/userAssignedIdentities/delete',
    });
  });

  it('as what the activity log confirms, with the seconds that it took', async () => {
    const report = await eventually('all changes are confirmed', async () => {
      const now = await driftNow();
      return now?.changes.every(({ confirmed }) => confirmed) && now;
    });
    expect(report.changes.length).toBeGreaterThan(7);
    expect(report.changeSeconds?.p95).toBeGreaterThan(0);
    // No whole check has found any of it: it was the events.
    expect(app.records().filter(({ reason }) => reason === 'DriftChecked')).toHaveLength(2);
  });
});
