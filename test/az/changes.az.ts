import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CLIENT_IDS, CMK_API_AUDIENCE, SUBSCRIPTION_ID } from '../../local/azure/constants.ts';
import { addIdentity, allowStorage } from '../../local/azure/fleet.ts';
import type { UserAssignedIdentity } from '../../local/azure/world.ts';
import type { DriftChange, DriftReport } from '../../src/drift/report/report.ts';
import type { NowAnswer } from '../../src/status/now-schemas.ts';
import { arm, signIn } from '../local-azure/support.ts';
import { useApp } from '../support/app.ts';
import { cmk } from '../support/cmk.ts';
import { eventually } from '../support/eventually.ts';
import { group, storageIdentity, TestKey, vaultNamed } from '../support/fleet.ts';
import { wordsOf } from '../support/pasted.ts';
import { Az } from './az.ts';

/** A change is on the page within ten seconds, of a machine that does nothing else; a test waits longer. */
const SOON_SECONDS = 10;
const PATIENCE_MS = 60_000;
/** Each command of az takes seconds. Milliseconds. */
const LONG_MS = 300_000;
/** No more often than a caller may ask. */
const BETWEEN_CALLS_MS = 500;

const app = useApp({ env: { CMK_AUTOFIX: 'none' } });
const world = () => app.azure.world;

async function call(method: string, path: string): Promise<unknown> {
  const { token } = app.azure.tokens.issue(signIn(app.azure, 'operator'), CMK_API_AUDIENCE);
  const response = await fetch(`${app.url}/api${path}`, { method, headers: { authorization: `Bearer ${token}` } });
  return response.json();
}

type Report = NonNullable<NonNullable<NonNullable<NowAnswer['drift']>['value']>['report']>;
/** What `GET /api/now` showed last, and all changes that it has shown. */
let now: Report | undefined;
const changes = new Map<string, DriftChange>();
let isOver = false;
let watching: Promise<void> | undefined;
async function watch(): Promise<void> {
  while (!isOver) {
    const answer = (await call('GET', '/now')) as Partial<NowAnswer>;
    now = answer.drift?.value?.report ?? now;
    for (const change of now?.changes ?? []) changes.set(change.id, change);
    await sleep(BETWEEN_CALLS_MS);
  }
}

/** Waits for the change that made or ended a finding, and expects that it names its caller. */
async function shown(part: 'found' | 'gone', reason: string, resource: string, operation?: string): Promise<void> {
  const change = await eventually(
    `${reason} of ${resource} is ${part}`,
    () =>
      [...changes.values()].find((one) =>
        one[part].some((of) => of.reason === reason && of.resource.toLowerCase() === resource.toLowerCase()),
      ),
    PATIENCE_MS,
  );

  const { objectId } = signIn(app.azure, 'owner');
  expect(change).toMatchObject({ objectId, client: CLIENT_IDS.owner, ...(operation ? { operation } : {}) });
}

/** Runs the command that the finding prints, as a person does who has copied it. */
async function runPrinted(reason: string, resource: string): Promise<void> {
  const { findings } = (await call('GET', '/drift')) as DriftReport;
  const found = findings.find((one) => one.reason === reason && one.resource.toLowerCase() === resource.toLowerCase());
  const command = found?.command ?? '';
  if (command.startsWith('az ')) {
    expect(await az.script(command, import.meta.dirname)).toMatchObject({ code: 0 });
  } else {
    const { code, output } = await cmk(app.azure, [...wordsOf(command), '--yes']);
    expect([code, output]).toEqual([0, expect.any(String)]);
  }
}

let az: Az;
let files: TestKey;
let newest: string;
/** ARM ids. */
let accounts: Record<'back' | 'unpinned' | 'other' | 'plain' | 'scoped' | 'deleted' | 'denied' | 'orphan', string>;
let identities: Record<'denied' | 'orphan', UserAssignedIdentity>;
const records = () => vaultNamed(world(), 'kv-records').id;
const updateVault = `keyvault update --name kv-records --resource-group rg-keys --subscription ${SUBSCRIPTION_ID}`;
const onKey = (version: string) =>
  `--encryption-key-source Microsoft.Keyvault --encryption-key-vault https://kv-files.vault.azure.net --encryption-key-name ${files.name} --encryption-key-version ${version}`;
const updateScope = (version: string) =>
  `storage account encryption-scope update --account-name ${accounts.scoped.split('/').at(-1)} --resource-group rg-files --subscription ${SUBSCRIPTION_ID} --name scope1 --key-source Microsoft.KeyVault --key-uri ${files.id()}/${version}`;
const created = () => accounts.back.replace(/[^/]+$/, 'stcreatedbyaz');

beforeAll(async () => {
  await app.listed();

  // The app and the operator reach the vaults by a private endpoint, so that a closed firewall keeps out Storage alone.
  world().settings.callerAddress = '10.0.0.4';
  files = new TestKey(world());

  const second = files.add();

  newest = second.version;

  const own = (name: string) => {
    const identity = addIdentity(world(), group(world()), name);
    allowStorage(world(), files.vault, identity.principalId);
    return identity;
  };

  identities = { denied: own('id-denied'), orphan: own('id-orphan') };
  allowStorage(world(), vaultNamed(world(), 'kv-other'), storageIdentity(world()).principalId);

  const onNewest = files.use('pinned', second);
  const onFirst = files.use('pinned');
  const make = (key = onNewest, identity = storageIdentity(world())) => files.account('pinned', { key, identity }).id;

  accounts = {
    back: make(),
    other: make(),
    plain: make(),
    scoped: make(),
    unpinned: make(onFirst),
    deleted: make(onFirst),
    denied: make(onNewest, identities.denied),
    orphan: make(onNewest, identities.orphan),
  };

  const keyVaultProperties = { keyUri: files.id(second) };
  const body = { properties: { source: 'Microsoft.KeyVault', keyVaultProperties } };

  expect((await arm(app.azure, 'PUT', `${accounts.scoped}/encryptionScopes/scope1`, { body })).status).toBe(201);

  az = new Az(app.azure.env);

  const { AZURE_TENANT_ID: tenant, AZURE_CLIENT_ID: id, AZURE_CLIENT_SECRET: secret } = app.azure.owner;

  await az.text(`login --service-principal --username ${id} --password=${secret} --tenant ${tenant}`);
  await app.settled();
  await call('POST', '/drift');
  await app.settled();
  watching = watch();
}, LONG_MS);
afterAll(async () => {
  isOver = true;
  await watching;
  az?.close();
});

describe('a change that az makes reaches the page within seconds, with its caller', () => {
  /** Each while the next command runs. */
  async function each(steps: readonly (readonly [command: string | (() => Promise<void>), () => Promise<void>])[]) {
    const waits: Promise<void>[] = [];
    for (const [command, wait] of steps) {
      await (typeof command === 'string' ? az.text(command) : command());
      waits.push(wait());
    }
    await Promise.all(waits);
  }

  it(
    'A change that az makes appears on the page within seconds, as a new finding or as one that is gone',
    async () => {
      const { back, unpinned, other, plain, scoped, deleted, denied, orphan } = accounts;
      const update = 'storage account update --ids';
      const [role] = [...world().roleAssignments.values()].filter(
        ({ principalId }) => principalId === identities.denied.principalId,
      );
      const write = 'Microsoft.Storage/storageAccounts/write';
      const identity = storageIdentity(world()).id;

      await each([
        [
          `storage account create --name stcreatedbyaz --resource-group rg-files --subscription ${SUBSCRIPTION_ID} --location westeurope --sku Standard_LRS --identity-type UserAssigned --user-identity-id ${identity} --key-vault-user-identity-id ${identity} ${onKey(files.first.version)}`,
          () => shown('found', 'StaleKeyVersion', created(), write),
        ],
        [`${update} ${back} ${onKey(files.first.version)}`, () => shown('found', 'VersionReverted', back, write)],
        [`${update} ${unpinned} ${onKey('""')}`, () => shown('gone', 'StaleKeyVersion', unpinned, write)],
        [
          `${update} ${other} --encryption-key-source Microsoft.Keyvault --encryption-key-vault https://kv-other.vault.azure.net --encryption-key-name other-key --encryption-key-version ""`,
          () => shown('found', 'UnmanagedVault', other, write),
        ],
        [
          `${update} ${plain} --encryption-key-source Microsoft.Storage`,
          () => shown('found', 'NoLongerCustomerManaged', plain, write),
        ],
        [
          updateScope(files.first.version),
          () =>
            shown(
              'found',
              'ScopeStaleKeyVersion',
              `${scoped}/encryptionScopes/scope1`,
              `${write.replace('/write', '')}/encryptionScopes/write`,
            ),
        ],
        [
          `storage account delete --ids ${deleted} --yes`,
          () => shown('gone', 'StaleKeyVersion', deleted, 'Microsoft.Storage/storageAccounts/delete'),
        ],
        [
          `identity delete --ids ${identities.orphan.id}`,
          () => shown('found', 'IdentityDeleted', orphan, 'Microsoft.ManagedIdentity/userAssignedIdentities/delete'),
        ],
        [
          `${updateVault} --default-action Deny --bypass None`,
          () => shown('found', 'VaultUnreachable', records(), 'Microsoft.KeyVault/vaults/write'),
        ],
      ]);

      // An older vault, whose properties are read again as its tags change; and a role, whose loss has all accounts of a vault checked.
      vaultNamed(world(), 'kv-records').properties.enablePurgeProtection = undefined;

      await each([
        [`${updateVault} --set tags.read=again`, () => shown('found', 'PurgeProtectionOff', records())],
        [
          `role assignment delete --ids ${role?.id}`,
          () => shown('found', 'IdentityWithoutRole', denied, 'Microsoft.Authorization/roleAssignments/delete'),
        ],
      ]);
    },
    LONG_MS,
  );

  it(
    'A repair by the printed command or by the text of the finding appears on the page within seconds',
    async () => {
      const { back, other, plain, scoped, denied } = accounts;
      const printed = (reason: string, resource: string) =>
        [() => runPrinted(reason, resource), () => shown('gone', reason, resource)] as const;

      await each([
        printed('StaleKeyVersion', created()),
        printed('VersionReverted', back),
        printed('NoLongerCustomerManaged', plain),
        printed('IdentityWithoutRole', denied),
        printed('VaultUnreachable', records()),
        printed('PurgeProtectionOff', records()),
        [`storage account update --ids ${other} ${onKey(newest)}`, () => shown('gone', 'UnmanagedVault', other)],
        [updateScope(newest), () => shown('gone', 'ScopeStaleKeyVersion', `${scoped}/encryptionScopes/scope1`)],
      ]);
    },
    LONG_MS,
  );

  it('The activity log confirms a change that az made, without a whole drift check', async () => {
    const report = await eventually(
      'all changes are confirmed',
      () => now?.changes.every(({ confirmed }) => confirmed) && now,
    );
    expect(report.changeSeconds?.p50).toBeLessThan(SOON_SECONDS);
    expect(report.changes.length).toBeGreaterThan(10);
    expect(app.records().filter(({ reason }) => reason === 'DriftChecked')).toHaveLength(1);
  });

  it('The next whole drift check reports what remains of the changes that az made, with the same caller', async () => {
    const { findings } = (await call('POST', '/drift')) as DriftReport;
    const orphaned = findings.find(({ resource }) => resource === accounts.orphan);
    expect(orphaned).toMatchObject({
      reason: 'IdentityDeleted',
      changedBy: { client: CLIENT_IDS.owner, operation: 'Microsoft.ManagedIdentity/userAssignedIdentities/delete' },
    });
  });
});
