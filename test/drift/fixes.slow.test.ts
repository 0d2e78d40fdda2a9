import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { deployCode } from '../../local/azure/app-setup.ts';
import { SUBSCRIPTION_ID } from '../../local/azure/constants.ts';
import { storageClock } from '../../src/azure/storage-clock.ts';
import { checkChanges } from '../../src/drift/changes/check-changes.ts';
import type { DriftReport } from '../../src/drift/report/report.ts';
import { runDriftCheck } from '../../src/drift/run-drift-check.ts';
import { EVENT_FUNCTIONS } from '../../src/events/subscription.ts';
import { NO_SUBSCRIPTION, type WorkItem } from '../../src/index/work-items.ts';
import { rotateWhenDue } from '../../src/rotation/rotate-when-due.ts';
import { eventually } from '../support/eventually.ts';
import { TestKey, vaultNamed } from '../support/fleet.ts';
import { REVOKER } from '../support/keys.ts';
import { useWire } from '../support/wire.ts';
import { reconcileAll, workItems } from '../support/work-items.ts';
import { outsider } from './outsider.ts';

const wire = useWire();
const ALL =
  'StaleKeyVersion,ScopeStaleKeyVersion,LaggingAutomaticVersion,EventSubscriptionMissing,EventSubscriptionMisaimed,NearExpiry,RotationIncomplete';

const MINUTE_MS = 61_000;

const world = () => wire.azure.world;
const them = () => outsider(wire.azure);

/** @param autofix null: not set */
async function check(autofix: string | null = ALL): Promise<DriftReport> {
  const services = wire.services({ CMK_AUTOFIX: autofix ?? '' });
  return runDriftCheck({ id: crypto.randomUUID(), by: 'timer' }, services, wire.log);
}

async function itemsOf(key: TestKey): Promise<WorkItem[]> {
  const items = (await workItems(wire.services())).filter(({ about }) => about === key.id());
  return items.sort((a, b) => (a.subscription < b.subscription ? -1 : 1));
}

const work = (services = wire.services()): Promise<void> => reconcileAll(services, wire.log);

/** Has the index know every account, as the app's first start does. */
async function list(): Promise<void> {
  await check('none');
  await work();
}

const reasons = (report: DriftReport): string[] => report.findings.map(({ reason }) => reason);
const subscriptionsOf = async (vault: string): Promise<string[]> => {
  const names: string[] = [];
  for await (const { name } of them().events.eventSubscriptions.listByResource(
    'rg-keys',
    'Microsoft.KeyVault',
    'vaults',
    vault,
  )) {
    names.push(name ?? '');
  }
  return names.sort();
};

const BY_DRIFT = { by: 'drift' };

describe('a stale pin', () => {
  it('A stale pin becomes work items in the default settings, so that a lost event makes no difference', async () => {
    const key = new TestKey(world());
    const account = key.account('pinned');

    await list();

    const newer = key.add();
    const report = await check(null);

    expect(report.fixes).toMatchObject([{ reason: 'StaleKeyVersion', resource: account.id, outcome: 'enqueued' }]);
    expect(await itemsOf(key)).toMatchObject([
      { subscription: NO_SUBSCRIPTION, kind: 'key', cause: BY_DRIFT },
      { subscription: SUBSCRIPTION_ID, kind: 'key', cause: BY_DRIFT },
    ]);

    // The check itself does not write to the account.
    expect(account.encryption.keyvaultproperties?.keyversion).toBe(key.first.version);

    await work();

    expect(account.encryption.keyvaultproperties?.keyversion).toBe(newer.version);
    expect(reasons(await check())).not.toContain('StaleKeyVersion');
  });

  it('A stale pin is moved even if the index has the account on the newest version', async () => {
    const key = new TestKey(world());
    const account = key.account('pinned');

    await list();

    const newer = key.add();

    await check();
    await work();

    expect(account.encryption.keyvaultproperties?.keyversion).toBe(newer.version);

    const properties = account.encryption.keyvaultproperties;
    if (properties) {
      Object.assign(properties, { keyversion: key.first.version, currentVersionedKeyIdentifier: key.id(key.first) });
    }

    await check();

    // What others changed waits for the check of its event.
    await eventually('the account is moved', async () => {
      await work();
      return account.encryption.keyvaultproperties?.keyversion === newer.version;
    });
  });
});

describe('an encryption scope that was created after the scopes of its account were listed', () => {
  /** Creates a scope on the first version of a key that has a newer one, a minute after the list of its account. */
  async function createStaleScope() {
    const key = new TestKey(world());
    const account = key.account('automatic');

    await list();
    key.add();

    const later = vi.spyOn(storageClock, 'now').mockImplementation(() => new Date(Date.now() + MINUTE_MS));

    onTestFinished(() => {
      later.mockRestore();
    });

    const keyVaultProperties = { keyUri: key.id(key.first) };
    const scope = { source: 'Microsoft.KeyVault', keyVaultProperties };

    await them().storage.encryptionScopes.put('rg-files', account.name, 'late', scope);

    return { key, account, resource: `${account.id}/encryptionScopes/late` };
  }

  const versionOf = (account: ReturnType<TestKey['account']>) =>
    account.encryptionScopes.get('late')?.keyVaultProperties?.keyUri?.split('/').at(-1);

  it('An encryption scope created after the list of its account is moved by the check that finds it', async () => {
    const { key, account, resource } = await createStaleScope();
    const report = await check();
    expect(report.fixes).toContainEqual(expect.objectContaining({ resource, outcome: 'enqueued' }));
    await work();
    expect(versionOf(account)).not.toBe(key.first.version);
    expect(versionOf(account)).toBeDefined();
  });

  it('An encryption scope created after the list of its account is in the index once its event is handled', async () => {
    const { key, account, resource } = await createStaleScope();
    const services = wire.services({ CMK_AUTOFIX: 'none' });
    const on = services.now().toISOString();
    const operation = 'Microsoft.Storage/storageAccounts/encryptionScopes/write';
    const changedBy = { on, operation, resource, confirmed: false };
    const change = { id: crypto.randomUUID(), concern: 'account', at: account.id, changedBy } as const;

    await services.changes.put([{ ...change, notedOn: on }]);
    await checkChanges(services, wire.log);
    await work();

    const known = await Array.fromAsync(services.useRows.of(key.id()));
    expect(known.map(({ scope }) => scope)).toContain('late');
  });
});

describe('event subscriptions', () => {
  it('Event subscriptions of a vault that was deleted and recovered are created again, and a second check finds nothing', async () => {
    const { vaults } = them().vaults;

    await vaults.delete('rg-keys', 'kv-records');
    await vaults.createOrUpdate('rg-keys', 'kv-records', {
      location: 'westeurope',
      properties: { tenantId: world().tenantId, sku: { family: 'A', name: 'standard' }, createMode: 'recover' },
    });

    expect(await subscriptionsOf('kv-records')).toEqual([]);

    const report = await check();

    // Its role assignments are gone too, and giving them again is a person's decision.
    const advice = /^(ChangesNotWatched|PinnedVersion|VaultNotLocked|No.*)$/;

    expect(new Set(reasons(report).filter((reason) => !advice.test(reason)))).toEqual(
      new Set(['EventSubscriptionMissing', 'IdentityWithoutRole', 'MissingPermission', 'Unreadable']),
    );
    expect(report.fixes.map(({ outcome }) => outcome)).toEqual(['done', 'done', 'done']);
    expect(await subscriptionsOf('kv-records')).toEqual(
      EVENT_FUNCTIONS.map(({ functionName }) => `cmk-func-cmk-${functionName}`).sort(),
    );

    const second = await check();
    expect(reasons(second)).not.toContain('EventSubscriptionMissing');
    expect(second.fixes).toEqual([]);
  });

  it("Changed event subscriptions are repaired under their own name; one with another target stays, beside the app's", async () => {
    const vault = vaultNamed(world(), 'kv-files').id.slice(1);
    const { eventSubscriptions } = them().events;

    await eventSubscriptions.beginUpdateAndWait(vault, 'cmk-keyExpired', {
      filter: { includedEventTypes: ['Microsoft.KeyVault.KeyNearExpiry'], subjectBeginsWith: 'only-this' },
      retryPolicy: { maxDeliveryAttempts: 2, eventTimeToLiveInMinutes: 5 },
    });

    const app = `/${vault.split('/providers/')[0]}/providers/Microsoft.Web/sites/func-other`;

    deployCode(world(), app);
    await eventSubscriptions.beginUpdateAndWait(vault, 'cmk-keyNearExpiry', {
      destination: { endpointType: 'AzureFunction', resourceId: `${app}/functions/keyNearExpiry` },
    });

    const report = await check();
    expect(report.fixes.map(({ reason, detail }) => [reason, detail]).sort()).toEqual([
      ['EventSubscriptionMisaimed', 'The event subscription cmk-func-cmk-keyNearExpiry was created.'],
      ['EventSubscriptionMisaimed', 'The event subscription cmk-keyExpired was repaired.'],
    ]);

    expect(await subscriptionsOf('kv-files')).toEqual([
      'cmk-func-cmk-keyNearExpiry',
      'cmk-keyExpired',
      'cmk-keyNearExpiry',
      'cmk-keyNewVersionCreated',
    ]);

    const other = await eventSubscriptions.get(vault, 'cmk-keyNearExpiry');
    expect(JSON.stringify(other.destination)).toContain('func-other');
    expect(reasons(await check())).not.toContain('EventSubscriptionMisaimed');
  });
});

/** Does what waits in `key-work` about a rotation, as the worker does. */
async function rotate(): Promise<void> {
  for (const { work: message } of wire.sent.splice(0)) {
    if (message.kind === 'rotate') await rotateWhenDue(message, wire.services(), wire.log);
  }
}

it('a key near its expiry whose event was lost is rotated once in the default settings', async () => {
  const key = new TestKey(world());

  key.account('automatic');
  key.first.exp = Math.floor(wire.azure.clock.nowMs() / 1000) + 5 * 86_400;

  const fixes = (report: DriftReport) => report.fixes.filter(({ resource }) => resource === key.id());
  expect(fixes(await check(null))).toMatchObject([{ reason: 'NearExpiry', outcome: 'enqueued' }]);

  // The check itself writes nothing.
  expect(key.vault.keys.get(key.name)?.versions).toHaveLength(1);

  await rotate();

  expect(key.vault.keys.get(key.name)?.versions).toHaveLength(2);
  expect(fixes(await check(null))).toEqual([]);
});

it('two simultaneous checks do no harm', async () => {
  const key = new TestKey(world());
  const account = key.account('pinned');

  await list();

  const newer = key.add();

  await them().events.eventSubscriptions.beginDeleteAndWait(
    vaultNamed(world(), 'kv-files').id.slice(1),
    'cmk-keyExpired',
  );

  const reports = await Promise.all([check(), check(), check()]);

  for (const report of reports) expect(report.fixes.every(({ outcome }) => outcome !== 'failed')).toBe(true);

  await work();

  expect(account.encryption.keyvaultproperties?.keyversion).toBe(newer.version);
  expect((await subscriptionsOf('kv-files')).filter((name) => name.endsWith('keyExpired'))).toEqual([
    'cmk-func-cmk-keyExpired',
  ]);

  const last = await check();
  expect(last.fixes).toEqual([]);

  const { driftStorage } = wire.services();
  expect((await driftStorage.newest())?.id).toBe(last.id);
  expect((await driftStorage.history()).length).toBeGreaterThanOrEqual(4);
});

it('a version that appeared while the key is revoked has the key reconciled in any settings', async () => {
  const { revokeKey } = await import('../../src/revocation/revoke.ts');
  const key = new TestKey(world());
  const services = wire.services();
  const managed = services.settings.vaults.key(key.id());
  if (!managed) throw new Error('not managed');
  await revokeKey(managed, REVOKER, services);
  key.add();
  await check('none');
  expect(await itemsOf(key)).toMatchObject([{ subscription: NO_SUBSCRIPTION, cause: BY_DRIFT }]);
});
