import { BlobServiceClient } from '@azure/storage-blob';
import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { deployCode } from '../../local/azure/app-setup.ts';
import { CLIENT_IDS, SUBSCRIPTION_ID, WORKSPACE_ID } from '../../local/azure/constants.ts';
import { addIdentity, addOtherResource, addVault, allowStorage } from '../../local/azure/fleet.ts';
import type { DriftReport, Finding } from '../../src/drift/report/report.ts';
import { runDriftCheck } from '../../src/drift/run-drift-check.ts';
import { withContest } from '../../src/orders/standing-orders.ts';
import { revokeKey } from '../../src/revocation/revoke.ts';
import type { Services } from '../../src/services.ts';
import { Az } from '../az/az.ts';
import { group, storageIdentity, TestKey, vaultNamed } from '../support/fleet.ts';
import { REVOKER } from '../support/keys.ts';
import { wordsOf } from '../support/pasted.ts';
import { denyInsecureTransfer } from '../support/policies.ts';
import { Procedures } from '../support/procedures.ts';
import { runCmk } from '../support/run-cmk.ts';
import { useWire } from '../support/wire.ts';
import { outsider } from './outsider.ts';
import { commandOf, kindOf, PRINTED } from './printed-commands.ts';

// Each drift is made as an outsider would make it: with the plain SDK and an owner's sign-in.
const wire = useWire();
const HOUR_MS = 3_600_000;
const RG_KEYS = `/subscriptions/${SUBSCRIPTION_ID}/resourceGroups/rg-keys`;

const world = () => wire.azure.world;
const them = () => outsider(wire.azure);
const noFix = { CMK_AUTOFIX: 'none' };

async function check(env: Record<string, string> = noFix, change: Partial<Services> = {}): Promise<DriftReport> {
  return runDriftCheck({ id: crypto.randomUUID(), by: 'operator' }, { ...wire.services(env), ...change }, wire.log);
}

/** A key with two versions, and an account pinned to the newer one. */
function pinnedAccount(options: Parameters<TestKey['account']>[1] = {}) {
  const key = new TestKey(world());
  const newer = key.add();
  const account = key.account('pinned', { key: key.use('pinned', newer), ...options });
  return { key, newer, account };
}

/** Pins an account to the first version of its key. */
async function pinBack(account: { name: string }, { name, vault, first }: TestKey): Promise<void> {
  const { vaultUri } = vault.properties;
  const keyVaultProperties = { keyName: name, keyVersion: first.version, keyVaultUri: vaultUri };
  await them().storage.storageAccounts.update('rg-files', account.name, {
    encryption: { keySource: 'Microsoft.Keyvault', keyVaultProperties },
  });
}

/** Changes a version of a key in kv-files. */
const change = (key: TestKey, { version }: { version: string }, properties: object) =>
  them().keys('kv-files').updateKeyProperties(key.name, version, properties);
const hoursAgo = (hours: number) => new Date(wire.azure.clock.nowMs() - hours * HOUR_MS);
const newIdentity = () => addIdentity(world(), group(world()), `id-${Math.random().toString(36).slice(2, 10)}`);

/** Wraps with a version of a key, on an owner's sign-in. */
async function wrapWith(version: string): Promise<void> {
  const owner = world().principals.get(CLIENT_IDS.owner);
  if (!owner) throw new Error('The local tenant has no owner.');
  const { token } = wire.azure.tokens.issue(owner, 'https://vault.azure.net');
  const response = await fetch(`${version}/wrapkey?api-version=7.5`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ alg: 'RSA-OAEP-256', value: 'c2VjcmV0' }),
  });
  if (!response.ok) throw new Error(`${response.status} ${await response.text()}`);
}

interface Case {
  readonly reason: string;
  readonly by: string;
  /** The command that the finding prints, if any. */
  readonly prints?: string;
  /** Why the finding stays when its command has done what it is for. */
  readonly stays?: string;
  /** Why no test runs the command. */
  readonly notRun?: string;
  readonly drift: () => Promise<{ readonly resource: string; readonly report?: () => Promise<DriftReport> }>;
}

/** @param drift makes the drift; returns what it is about, and how to look at it unless by a usual check */
function when(
  reason: string,
  by: string,
  prints: string | undefined,
  drift: () => Promise<string | Awaited<ReturnType<Case['drift']>>>,
  more: Pick<Case, 'stays' | 'notRun'> = {},
): Case {
  const made = async () => {
    const of = await drift();
    return typeof of === 'string' ? { resource: of } : of;
  };

  return { reason, by, ...(prints ? { prints } : {}), ...more, drift: made };
}

const cases: readonly Case[] = [
  when('StaleKeyVersion', 'an operator pins an account back to an old version', 'cmk account pin', async () => {
    const { key, account } = pinnedAccount();
    await pinBack(account, key);
    return account.id;
  }),
  when('LaggingAutomaticVersion', 'Storage does not refresh an automatic account for a day', undefined, async () => {
    world().settings.automaticCheckMs = 1_000 * HOUR_MS;
    const key = new TestKey(world());
    const account = key.account('automatic');
    await them().keys(key.vault.name).rotateKey(key.name);
    wire.azure.clock.advance(25 * HOUR_MS);
    return account.id;
  }),
  when('ScopeNotCustomerManaged', 'a scope is created without the required key', undefined, async () => {
    const { account } = pinnedAccount();
    const { encryptionScopes } = them().storage;
    await encryptionScopes.put('rg-files', account.name, 'scope1', { source: 'Microsoft.Storage' });
    const report = () => check({ ...noFix, CMK_REQUIRE: account.id });
    return { resource: `${account.id}/encryptionScopes/scope1`, report };
  }),
  when('OtherResourceStale', 'a server keeps an old version', undefined, async () => {
    const key = new TestKey(world());
    const server = addOtherResource(world(), group(world()), 'Microsoft.Sql/servers', `sql-${key.name}`, {
      keyId: key.id(key.first),
    });
    await them().keys(key.vault.name).rotateKey(key.name);
    wire.azure.clock.advance(25 * HOUR_MS);
    return server.id;
  }),
  when('KeyDisabled', 'an operator disables the version in use', undefined, async () => {
    const { key, newer, account } = pinnedAccount();
    await change(key, newer, { enabled: false });
    return account.id;
  }),
  when('KeyDisabled', 'the key is revoked', 'cmk key restore', async () => {
    const key = new TestKey(world());
    const { id } = key.account('pinned');
    await revokedKey(key);
    return id;
  }),
  when('KeyExpired', 'the version in use expires', 'cmk key rotate', async () => {
    const { key, newer, account } = pinnedAccount();
    await change(key, newer, { expiresOn: hoursAgo(1) });
    return account.id;
  }),
  when('KeyExpired', 'the version in use expires, and a newer one exists', 'cmk account pin', async () => {
    const key = new TestKey(world());
    const account = key.account('pinned');
    await change(key, key.first, { expiresOn: hoursAgo(1) });
    key.add();
    return account.id;
  }),
  when('KeyDeleted', 'an operator deletes the key', 'az keyvault key recover', async () => {
    const { key, account } = pinnedAccount();
    await them().keys('kv-files').beginDeleteKey(key.name);
    return account.id;
  }),
  when('KeyDeleted', 'an operator deletes the vault', 'az keyvault recover', async () => {
    const vault = await ownVault();
    const key = new TestKey(world(), vault.name);
    const { id } = key.account('pinned');
    await them().vaults.vaults.delete('rg-keys', vault.name);
    return { resource: id, report: () => check({ ...noFix, CMK_VAULTS: vault.id }) };
  }),
  when('KeyDeleted', 'the key was purged and created again', undefined, async () => {
    const { key, account } = pinnedAccount();
    key.vault.keys.delete(key.name);
    await them().keys('kv-files').createRsaKey(key.name);
    return account.id;
  }),
  when('IdentityMissing', 'an operator removes the identity of the account', 'cmk account enable', async () => {
    const { account } = pinnedAccount();
    await them().storage.storageAccounts.update('rg-files', account.name, { identity: { type: 'None' } });
    return account.id;
  }),
  when('IdentityWithoutRole', 'an operator deletes the role assignment', 'az role assignment create', async () => {
    const identity = newIdentity();
    const vault = vaultNamed(world(), 'kv-files');

    allowStorage(world(), vault, identity.principalId);

    const { account } = pinnedAccount({ identity });
    const { roleAssignments } = them().roles;
    const filter = `assignedTo('${identity.principalId}')`;
    for await (const { id } of roleAssignments.listForScope(vault.id.slice(1), { filter })) {
      await roleAssignments.deleteById((id ?? '').slice(1));
    }

    return account.id;
  }),
  when('VersionReverted', 'an account on a newer version is pinned back', 'cmk account pin', async () => {
    const { key, account } = pinnedAccount();
    await check();
    wire.records.length = 0;
    await pinBack(account, key);
    return account.id;
  }),
  when(
    'ContestedChange',
    'an account is changed after two repairs',
    'cmk drift release',
    async () => {
      const { account } = pinnedAccount();
      const [since, until] = [0, 24].map((hours) => new Date(wire.azure.clock.nowMs() + hours * HOUR_MS).toISOString());
      const contest = { id: account.name, account: account.id, since: since ?? '', until: until ?? '', by: {} };
      await wire.services().orderStore.change((orders) => withContest(orders, contest));
      return account.id;
    },
    { notRun: 'the API of the app releases it; test/e2e/changes-lost.slow.test.ts runs it' },
  ),
  when('NoLongerCustomerManaged', 'an account leaves its key', 'cmk account enable', async () => {
    const { account } = pinnedAccount();
    await check();
    wire.records.length = 0;
    const microsoft = { encryption: { keySource: 'Microsoft.Storage' } };
    await them().storage.storageAccounts.update('rg-files', account.name, microsoft);
    return account.id;
  }),
  when('RoleExpires', 'an identity has its role for ten days only', undefined, async () => {
    const identity = newIdentity();
    const vault = vaultNamed(world(), 'kv-files').id.slice(1);
    const { roleAssignmentScheduleRequests, roleDefinitions } = them().roles;
    const filter = "roleName eq 'Key Vault Crypto Service Encryption User'";
    for await (const { id: roleDefinitionId = '' } of roleDefinitions.list(vault, { filter })) {
      await roleAssignmentScheduleRequests.create(vault, crypto.randomUUID(), {
        principalId: identity.principalId,
        roleDefinitionId,
        requestType: 'AdminAssign',
        scheduleInfo: { expiration: { type: 'AfterDuration', duration: 'P10D' } },
      });
    }

    const { account } = pinnedAccount({ identity });

    return account.id;
  }),
  when('TenantMismatch', 'the vault trusts the tenant that it was moved from', undefined, async () => {
    const { account } = pinnedAccount();
    await withVault({ tenantId: '99999999-9999-4999-8999-999999999999' });
    return account.id;
  }),
  when(
    'KeyOperationsMissing',
    'an operator removes unwrapKey from the key',
    'az keyvault key set-attributes',
    async () => {
      const key = new TestKey(world());
      await change(key, key.first, { keyOps: ['wrapKey', 'sign'] });
      return key.id();
    },
  ),
  when('VaultUnreachable', 'an operator closes the firewall of a vault to trusted services', 'az keyvault update', () =>
    withVault({ networkAcls: { bypass: 'None', defaultAction: 'Deny' } }),
  ),
  when('AuditLogOff', 'an operator deletes the diagnostic setting of a vault', undefined, async () => {
    const { id } = vaultNamed(world(), 'kv-records');
    await them().arm('DELETE', `${id}/providers/Microsoft.Insights/diagnosticSettings/cmk-autopilot`);
    return id;
  }),
  when('VaultNotLocked', 'an operator removes the lock of a vault', 'az lock create', async () => {
    const { id } = vaultNamed(world(), 'kv-records');
    const lock = `${id}/providers/Microsoft.Authorization/locks/keep`;
    await them().arm('PUT', lock, { properties: { level: 'CanNotDelete' } });
    expect(about(await check(), 'VaultNotLocked', id)).toEqual([]);
    await expect(them().vaults.vaults.delete('rg-keys', 'kv-records')).rejects.toThrow(/locked/);
    await them().arm('DELETE', lock);
    wire.records.length = 0;
    return id;
  }),
  when('KeyTooOld', 'no rotation happens', 'cmk key rotate', async () => {
    const key = new TestKey(world());
    Object.assign(key.first, { created: key.first.created - 731 * 24 * 3_600 });
    return key.id();
  }),
  when('NearExpiry', 'the newest version expires in five days', 'cmk key rotate', async () => {
    const key = new TestKey(world());
    const expiresOn = new Date(wire.azure.clock.nowMs() + 5 * 24 * HOUR_MS);
    await change(key, key.first, { expiresOn });
    return key.id();
  }),
  when('RotationStuck', 'an account does not move for twenty minutes', undefined, async () => {
    const key = new TestKey(world());

    key.account('pinned');

    const target = key.id(key.add());
    const on = wire.azure.clock.now().toISOString();
    const stuck = { stage: 'rest', unfinished: 1, failed: 1, lastNews: 'RotationStuck' } as const;

    // As reconcileKey leaves it.
    const { rollouts } = wire.services();
    const row = { target, ...stuck, canaries: [], proven: true, progressOn: on, checkedOn: on };

    await rollouts.put(key.id(), row, undefined);

    return key.id();
  }),
  when('RotationIncomplete', 'a new version gets no expiry', 'cmk key rotate', async () => {
    const key = new TestKey(world());
    const expiresOn = new Date(wire.azure.clock.nowMs() + 90 * 24 * HOUR_MS);
    await change(key, key.first, { expiresOn });
    wire.azure.clock.advance(1_000);
    await them().keys('kv-files').rotateKey(key.name);
    return key.id();
  }),
  when('PolicyBlocksMove', 'a policy denies an old account', 'az policy exemption create', async () => {
    const { account } = pinnedAccount();
    account.properties.supportsHttpsTrafficOnly = false;
    const assignment = await denyInsecureTransfer(them().arm, group(world()).id);
    onTestFinished(() => them().arm('DELETE', assignment));
    return account.id;
  }),
  when('PolicyBlocksRotation', 'a policy denies keys without expiry', 'cmk key ensure', async () => {
    const key = new TestKey(world());
    const assignment = `${RG_KEYS}/providers/Microsoft.Authorization/policyAssignments/expiry`;
    const definition = '/providers/Microsoft.Authorization/policyDefinitions/152b15f7-8e1f-4c1f-ab71-8c010ba5dbc0';
    const properties = { policyDefinitionId: definition, parameters: { effect: { value: 'Deny' } } };

    onTestFinished(() => them().arm('DELETE', assignment));
    await them().arm('PUT', assignment, { properties: { ...properties, enforcementMode: 'DoNotEnforce' } });

    expect(about(await check(), 'PolicyBlocksRotation', key.id())).toEqual([]);

    await them().arm('PUT', assignment, { properties });
    wire.records.length = 0;

    return key.id();
  }),
  when('PolicyBlocksRotation', 'a policy denies keys in software', 'az policy exemption create', async () => {
    const key = new TestKey(world());
    const assignment = `${RG_KEYS}/providers/Microsoft.Authorization/policyAssignments/hardware`;
    const definition = '/providers/Microsoft.Authorization/policySetDefinitions/7a00a7fc-fdf4-4ad8-8fa2-a94acc223e8e';
    onTestFinished(() => them().arm('DELETE', assignment));
    await them().arm('PUT', assignment, { properties: { policyDefinitionId: definition } });
    return key.id();
  }),
  when('RevocationOpen', 'a key stays revoked', 'cmk key restore', async () => {
    const key = await revokedKey();
    return key.id();
  }),
  when('RetirableVersion', 'every account is off the version for a day', 'cmk key retire', async () => {
    const { key } = pinnedAccount();
    wire.azure.clock.advance(25 * HOUR_MS);
    return key.id(key.first);
  }),
  when('RetirableVersion', 'the log proves that no client uses it', 'cmk key retire', async () => {
    const { key } = pinnedAccount();
    wire.azure.clock.advance(72 * HOUR_MS);
    return { resource: key.id(key.first), report: () => check({ ...noFix, CMK_USAGE_WORKSPACE: WORKSPACE_ID }) };
  }),
  when(
    'OldVersionInUse',
    'a client uses a retired version',
    'cmk key unretire',
    async () => {
      const { key, newer } = pinnedAccount();
      wire.azure.clock.advance(26 * HOUR_MS);
      await wrapWith(key.id(key.first));
      wire.azure.clock.advance(HOUR_MS / 2);
      const retired = `${wire.azure.clock.now().toISOString()} ${newer.version}`;
      Object.assign(key.first, { enabled: false, tags: { 'cmk-retired': retired } });
      return key.id(key.first);
    },
    { stays: 'the client that uses the old version goes on with it' },
  ),
  when('VaultNotFound', 'an operator deletes a managed vault', 'az keyvault recover', async () => {
    const { id, name } = await ownVault();
    await them().vaults.vaults.delete('rg-keys', name);
    return { resource: id, report: () => check({ ...noFix, CMK_VAULTS: id }) };
  }),
  when('PurgeProtectionOff', 'an operator creates a vault without purge protection', 'az keyvault update', async () => {
    const resource = `${RG_KEYS}/providers/Microsoft.KeyVault/vaults/kv-unsafe`;

    await them().vaults.vaults.createOrUpdate('rg-keys', 'kv-unsafe', {
      location: 'westeurope',
      properties: {
        tenantId: world().tenantId,
        sku: { family: 'A', name: 'standard' },
        enableRbacAuthorization: true,
      },
    });

    return { resource, report: () => check({ ...noFix, CMK_VAULTS: resource }) };
  }),
  when('EventSubscriptionMissing', 'an operator deletes an event subscription', 'cmk admin ensure-events', async () => {
    const { id } = vaultNamed(world(), 'kv-records');
    await them().events.eventSubscriptions.beginDeleteAndWait(id.slice(1), 'cmk-keyExpired');
    return id;
  }),
  when('ChangesNotWatched', 'its event subscription is deleted', 'cmk admin watch-changes', async () => {
    const id = `/subscriptions/${SUBSCRIPTION_ID}`;
    await them().events.eventSubscriptions.beginDeleteAndWait(id.slice(1), 'cmk-resourceChanged');
    return id;
  }),
  when('EventSubscriptionMisaimed', 'it targets another app', 'cmk admin ensure-events', async () => {
    const { id } = vaultNamed(world(), 'kv-records');
    const other = `${RG_KEYS}/providers/Microsoft.Web/sites/func-other`;
    deployCode(world(), other);
    await them().events.eventSubscriptions.beginUpdateAndWait(id.slice(1), 'cmk-keyNearExpiry', {
      destination: { endpointType: 'AzureFunction', resourceId: `${other}/functions/keyNearExpiry` },
    });
    return `${id}/providers/Microsoft.EventGrid/eventSubscriptions/cmk-keyNearExpiry`;
  }),
  when('EventDeliveryFailing', 'Event Grid fails to deliver an event', undefined, async () => {
    const { id } = vaultNamed(world(), 'kv-files');
    const event = {
      source: id,
      type: 'Microsoft.KeyVault.KeyExpired',
      deadletterreason: 'MaxDeliveryAttemptsExceeded',
    };

    await BlobServiceClient.fromConnectionString(wire.connectionString)
      .getContainerClient('cmk-deadletter')
      .getBlockBlobClient('CMK-KEYEXPIRED/2026/01/01/00/x.json')
      .uploadData(Buffer.from(JSON.stringify([event])));

    // Azurite goes by the time of day, and this world's clock has been moved.
    return { resource: id, report: () => check(noFix, { now: () => new Date() }) };
  }),
  when('SelfLockout', "the app's own storage is put on a managed key", undefined, async () => {
    const { account } = pinnedAccount();
    const { settings } = wire.services(noFix);
    const own = {
      settings: { ...settings, storage: { accountName: account.name, blobUri: '', queueUri: '', tableUri: '' } },
    };
    return { resource: account.id, report: () => check(noFix, own) };
  }),
  when('PoisonMessages', 'work fails for good', undefined, async () => {
    await wire.queues.getQueueClient('fleet-work-poison').sendMessage('{}');
    return 'fleet-work-poison';
  }),
  when('SettingsInvalid', 'a setting has a typo', undefined, async () => {
    const report = () => check({ CMK_AUTOFIX: 'StaleKeyVersoin' });
    return { resource: `${wire.services().settings.drift.functionAppId}/CMK_AUTOFIX`, report };
  }),
];

/** A vault of one test alone, with what Storage needs. */
async function ownVault() {
  const name = `kv-${Math.random().toString(36).slice(2, 10)}`;
  const vault = addVault(world(), group(world(), 'rg-keys'), name);
  allowStorage(world(), vault, storageIdentity(world()).principalId);
  return vault;
}

/** Changes kv-files, and has it put back after the test. */
async function withVault(properties: object): Promise<string> {
  const vault = vaultNamed(world(), 'kv-files');
  const before = { ...vault.properties };
  onTestFinished(() => {
    Object.assign(vault.properties, { networkAcls: undefined }, before);
  });
  await them().vaults.vaults.update('rg-keys', 'kv-files', { properties });
  return vault.id;
}

async function revokedKey(key = new TestKey(world())): Promise<TestKey> {
  const services = wire.services();
  const managed = services.settings.vaults.key(key.id());
  if (!managed) throw new Error('The vault is not managed.');
  await revokeKey(managed, REVOKER, services);
  return key;
}

function about(report: DriftReport, reason: string, resource: string): Finding[] {
  return report.findings.filter(
    (finding) => finding.reason === reason && finding.resource.toLowerCase() === resource.toLowerCase(),
  );
}

/** What a person completes before a command is run, and what asks a person to type the name of what it is about. */
const PLACEHOLDER = /^<.+>$/;
const ASKS_FOR_NAME = /^cmk (key restore|key retire|account restore) /;
/** Set by `npm run test:az`, which has `az`: there are the situations whose finding prints a command of `az`, here the others. */
const WITH_AZ = process.env.CMK_TEST_AZ === '1';

/** Runs the text as a person does who has copied it, on an owner's sign-in; that person has none of the app's settings. */
async function runCopied(command: string): Promise<void> {
  if (command.startsWith('az ')) {
    const { code, stderr } = await az.script(command, import.meta.dirname);
    expect({ command, code, stderr }).toMatchObject({ code: 0 });
    return;
  }
  const words = wordsOf(command).map((word) => (PLACEHOLDER.test(word) ? 'as the drift check says' : word));
  const args = [...words, ...(ASKS_FOR_NAME.test(command) ? ['--yes'] : [])];
  const { code, err } = await runCmk(new Procedures(wire), args);
  expect({ command, code, err }).toMatchObject({ code: 0 });
}

/** Runs what is printed for as long as there is something: no command twice, and the finding is gone in the end. */
async function followCommands({ reason, stays }: Case, resource: string, report: () => Promise<DriftReport>) {
  const ran: string[] = [];
  for (;;) {
    const [found] = about(await report(), reason, resource);
    const command = found && commandOf(found);
    if (!command) return expect(found === undefined).toBe(stays === undefined);

    expect(ran).not.toContain(command);

    ran.push(command);
    await runCopied(command);
    wire.azure.clock.advance(1_000);
  }
}

/** What a test leaves would be read by each check after it. */
afterEach(() => {
  for (const { keys } of world().vaults.values()) {
    for (const name of keys.keys()) {
      if (/^key-/.test(name)) keys.delete(name);
    }
  }

  for (const [id, { name }] of world().storageAccounts) {
    if (/^st[0-9a-f]{12}$/.test(name)) world().storageAccounts.delete(id);
  }
});

let az: Az;
beforeAll(async () => {
  if (!WITH_AZ) return;
  az = new Az(wire.azure.env);
  const { AZURE_TENANT_ID: tenant, AZURE_CLIENT_ID: id, AZURE_CLIENT_SECRET: secret } = wire.azure.owner;
  await az.text(`login --service-principal --username ${id} --password=${secret} --tenant ${tenant}`);
});
afterAll(() => az?.close());

describe('the findings of the drift check', () => {
  const isHere = ({ prints = '' }: Case) => prints.startsWith('az ') === WITH_AZ;

  it.each(cases.filter(isHere))('The drift check finds $reason when $by', async (one) => {
    const { reason, prints, notRun, drift } = one;
    const { resource, report = check } = await drift();
    const found = about(await report(), reason, resource);

    expect(found.length).toBeGreaterThan(0);

    const { id, reason: behind } = found[0]?.cause ?? {};
    expect(wire.records.filter(({ cause }) => cause === id)).toEqual([expect.objectContaining({ reason: behind })]);
    expect(wire.records.filter((record) => record.reason === 'DriftChecked')).toHaveLength(1);

    const command = found[0] && commandOf(found[0]);
    expect(command && kindOf(command)).toBe(prints);

    if (prints && !notRun) await followCommands(one, resource, report);
  });

  it('The drift check finds with an expired key what else it stops, as an error', async () => {
    const { key, newer, account } = pinnedAccount();
    const { id } = addOtherResource(
      world(),
      group(world()),
      'Microsoft.Compute/diskEncryptionSets',
      `des-${key.name}`,
      {
        activeKey: { keyUrl: key.id(newer) },
      },
    );

    await change(key, newer, { expiresOn: hoursAgo(1) });

    const report = await check();
    const stopped = { severity: 'error', is: expect.stringContaining(id.split('/').at(-1) ?? '') };

    expect(about(report, 'KeyExpired', account.id)).toMatchObject([stopped]);
    expect(about(report, 'NearExpiry', key.id())).toMatchObject([stopped]);
  });

  it('The drift check finds no version missing that is newer than the list of its key', async () => {
    const { key, newer, account } = pinnedAccount();
    const { keys } = wire.services(noFix);
    let lists = 0;
    const listVersions: typeof keys.listVersions = async (of) => {
      const all = await keys.listVersions(of);
      if (of.name !== key.name) return all;
      lists += 1;
      return lists === 1 ? all.filter(({ version }) => version !== newer.version) : all;
    };

    const report = await check(noFix, { keys: { ...keys, listVersions } });

    expect(lists).toBe(2);
    expect(about(report, 'KeyDeleted', account.id)).toEqual([]);
  });

  it('This test has a case for every command that a check prints', () => {
    const run = cases.flatMap(({ reason, prints }) => (prints ? [`${reason}: ${prints}`] : []));
    const printed = Object.entries(PRINTED).flatMap(([reason, kinds]) => kinds.map((kind) => `${reason}: ${kind}`));
    expect([...new Set(run)].sort()).toEqual(printed.sort());
  });
});
