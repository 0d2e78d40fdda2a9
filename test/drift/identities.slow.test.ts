import { describe, expect, it } from 'vitest';
import { CLIENT_IDS, SUBSCRIPTION_ID } from '../../local/azure/constants.ts';
import { addIdentity, addVault, allowStorage } from '../../local/azure/fleet.ts';
import type { StorageAccount } from '../../local/azure/world.ts';
import type { DriftReport, Finding } from '../../src/drift/report/report.ts';
import { runDriftCheck } from '../../src/drift/run-drift-check.ts';
import { group, TestKey } from '../support/fleet.ts';
import { useWire } from '../support/wire.ts';
import { outsider } from './outsider.ts';

// Identities that accounts reach their keys with, as an outsider creates and deletes them.
const wire = useWire();
const world = () => wire.azure.world;

async function check(env: Record<string, string> = {}): Promise<DriftReport> {
  const services = wire.services({ CMK_AUTOFIX: 'none', ...env });
  return runDriftCheck({ id: crypto.randomUUID(), by: 'operator' }, services, wire.log);
}

/** An account with an identity of its own, whose role on the vault stands. */
function accountWithIdentity(options: Parameters<TestKey['account']>[1] = {}) {
  const key = new TestKey(world());
  const identity = addIdentity(world(), group(world()), `id-${crypto.randomUUID().slice(0, 8)}`);
  allowStorage(world(), key.vault, identity.principalId);
  return { key, identity, account: key.account('pinned', { identity, ...options }) };
}

async function remove({ name }: { name: string }): Promise<void> {
  await outsider(wire.azure).identities.userAssignedIdentities.delete('rg-files', name);
}

function reasonsAbout(report: DriftReport, { id }: Pick<StorageAccount, 'id'>): string[] {
  return report.findings
    .filter(({ resource }) => resource.toLowerCase().startsWith(id.toLowerCase()))
    .map(({ reason }) => reason);
}

function deletedOf(report: DriftReport, { id }: Pick<StorageAccount, 'id'>): Finding[] {
  return report.findings.filter(({ reason, resource }) => reason === 'IdentityDeleted' && resource === id);
}

function refuse(path: string, status = 403, code = 'AuthorizationFailed'): void {
  const body = { error: { code, message: 'No.' } };
  wire.azure.faults.add([{ match: { method: 'GET', path }, answer: { status, body } }]);
}

const listOf = (subscription: string) =>
  `^/subscriptions/${subscription}/providers/Microsoft.ManagedIdentity/userAssignedIdentities`;

describe('a deleted identity', () => {
  it('A deleted identity is an error of the account that still names it, and of no other account', async () => {
    const { identity, account } = accountWithIdentity();
    expect(reasonsAbout(await check(), account)).toEqual([]);

    await remove(identity);

    const report = await check();
    expect(reasonsAbout(report, account)).toEqual(['IdentityDeleted']);

    const found = deletedOf(report, account);
    expect(report.findings.filter(({ reason }) => reason === 'IdentityDeleted')).toEqual(found);
    expect(found).toMatchObject([
      { resource: account.id, severity: 'error', canFix: false, is: expect.stringContaining(identity.name) },
    ]);
    expect(found[0]?.fix).toContain('--replace-identity');
    expect(report.complete).toBe(true);
    expect(wire.records).toContainEqual(
      expect.objectContaining({ reason: 'IdentityDeleted', level: 'error', account: account.id }),
    );
  });

  it('A deleted identity stays a finding after it was created again under its name, until the account has the new one', async () => {
    const { identity, key, account } = accountWithIdentity();

    await remove(identity);

    const { userAssignedIdentities } = outsider(wire.azure).identities;
    const again = await userAssignedIdentities.createOrUpdate('rg-files', identity.name, { location: 'westeurope' });

    allowStorage(world(), key.vault, again.principalId ?? '');

    expect(deletedOf(await check(), account)).toMatchObject([
      { is: expect.stringContaining('created again under the same name') },
    ]);

    // As the finding says: another identity, and the deleted one taken off.
    const other = addIdentity(world(), group(world()), `${identity.name}-2`);

    allowStorage(world(), key.vault, other.principalId);

    await outsider(wire.azure).storage.storageAccounts.update('rg-files', account.name, {
      identity: {
        type: 'UserAssigned',
        // The SDK's type does not say that `null` takes an identity off.
        userAssignedIdentities: { [identity.id]: null, [other.id]: {} } as unknown as Record<string, object>,
      },
      encryption: {
        keySource: 'Microsoft.Keyvault',
        encryptionIdentity: { encryptionUserAssignedIdentity: other.id },
        keyVaultProperties: {
          keyVaultUri: key.vault.properties.vaultUri,
          keyName: key.name,
          keyVersion: key.first.version,
        },
      },
    });

    expect(deletedOf(await check(), account)).toEqual([]);
  });
});

describe('an identity in a vault with access policies', () => {
  const GROUP = '99999999-9999-4999-8999-999999999999';

  it.each([
    ['may have its access through a group: that is not known, and no missing role', GROUP, [], false],
    ['has no access by the policy of a managed identity', undefined, ['IdentityWithoutRole'], true],
  ])('An identity in a vault with access policies %s', async (_, group_, reasons, complete) => {
    const name = `kv-${crypto.randomUUID().slice(0, 8)}`;

    addVault(world(), group(world()), name, { enableRbacAuthorization: false });

    const key = new TestKey(world(), name);
    const [identity, other] = ['own', 'other'].map((of) => addIdentity(world(), group(world()), `${name}-${of}`));
    if (!identity || !other) throw new Error('Both were added.');

    const app = world().principals.get(CLIENT_IDS.appUserAssigned)?.objectId ?? '';
    const allow = (objectId: string, ...keys: string[]) => ({ objectId, permissions: { keys } });

    key.vault.properties.accessPolicies = [allow(identity.principalId, 'all')];

    const account = key.account('pinned', { identity });

    key.vault.properties.accessPolicies = [
      allow(group_ ?? other.principalId, 'get', 'wrapKey', 'unwrapKey'),
      allow(app, 'all'),
    ];

    const report = await check({ CMK_VAULTS: key.vault.id });
    expect(reasonsAbout(report, account)).toEqual(reasons);

    const unread = report.findings.filter(
      ({ reason, resource }) => reason === 'Unreadable' && resource === key.vault.id,
    );
    expect([unread.length, report.complete]).toEqual([complete ? 0 : 1, complete]);

    if (!complete) expect(unread[0]?.is).toContain('may have one through a group');
  });
});

describe('an identity that cannot be read', () => {
  it('An identity that cannot be read is not reported as deleted, but once as unread, with the missing right', async () => {
    const { account } = accountWithIdentity();

    refuse('userAssignedIdentities');

    const report = await check();
    expect(reasonsAbout(report, account)).toEqual([]);
    expect(report.complete).toBe(false);

    const subscription = `/subscriptions/${SUBSCRIPTION_ID}`;
    expect(report.findings.filter(({ severity }) => severity === 'error')).toMatchObject([
      {
        reason: 'MissingPermission',
        resource: subscription,
        shouldBe: expect.stringContaining('Microsoft.ManagedIdentity/userAssignedIdentities/read'),
      },
      { reason: 'Unreadable', resource: subscription },
    ]);
  });

  it('An identity is read by its own id where the list of its subscription is refused', async () => {
    const { identity, account } = accountWithIdentity();
    await remove(identity);
    refuse(listOf(SUBSCRIPTION_ID));
    const report = await check();
    expect(report.complete).toBe(true);
    expect(reasonsAbout(report, account)).toEqual(['IdentityDeleted']);
  });
});
