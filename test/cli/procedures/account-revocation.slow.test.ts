import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { SUBSCRIPTION_ID } from '../../../local/azure/constants.ts';
import {
  addAccount,
  addKeyVersion,
  addManagedHsm,
  addOtherResource,
  addRoleAssignment,
  addVault,
  allowStorage,
} from '../../../local/azure/fleet.ts';
import { BUILT_IN_ROLES } from '../../../local/azure/roles/built-in-roles.ts';
import type { Principal, StorageAccount } from '../../../local/azure/world.ts';
import { getLastName } from '../../../src/azure/resource-id.ts';
import {
  restoreAccount,
  revokeAccount,
  setScopeState,
} from '../../../src/cli/procedures/account/account-break-glass.ts';
import type { Operation } from '../../../src/cli/procedures/operator-azure.ts';
import { MemoryTrail } from '../../support/memory-trail.ts';
import { type Site, texts, unique, useProcedures } from '../../support/procedures.ts';
import { runCmk } from '../../support/run-cmk.ts';

const procedures = useProcedures();
const trail = new MemoryTrail(() => procedures.local.clock.now());
const NO_AUDIT = { audit: async () => ({ failed: 'out of reach' }) };
const USER = BUILT_IN_ROLES['Key Vault Crypto Service Encryption User'];
const CORP = '/providers/Microsoft.Management/managementGroups/corp';

const policiesOf = (objectId: string) => [
  { tenantId: procedures.world.tenantId, objectId, permissions: { keys: ['get', 'wrapKey', 'unwrapKey'] } },
];

function admin({ group }: Site): Principal {
  const person = procedures.somebodyWith(group.id, 'Owner', 'Key Vault Crypto Officer');
  const scope = `/subscriptions/${SUBSCRIPTION_ID}`;
  const { objectId: principalId } = person;
  addRoleAssignment(procedures.world, { scope, principalId, role: BUILT_IN_ROLES.Reader, settled: true });
  return person;
}
const revoking =
  ({ name: account }: StorageAccount, more: object = {}) =>
  (operation: Operation) =>
    revokeAccount({ account, shared: false, reason: 'test', audit: trail.audit, ...more }, operation);
const restoring =
  ({ name: account }: StorageAccount) =>
  (operation: Operation) =>
    restoreAccount({ account, reason: 'test', audit: trail.audit, trail: trail.files }, operation);
const scoping =
  ({ name: account }: StorageAccount, state: 'Enabled' | 'Disabled') =>
  (operation: Operation) =>
    setScopeState({ account, scope: 'scope1', state }, operation);
const rolesOf = ({ identity }: Pick<Site, 'identity'>) =>
  [...procedures.world.roleAssignments.values()]
    .filter(({ principalId }) => principalId === identity.principalId)
    .sort((a, b) => (a.id < b.id ? -1 : 1));
const recordsOf = ({ id }: StorageAccount) =>
  trail.entries.filter(({ resource }) => resource === id).map(({ action, reason }) => `${action} ${reason}`);

describe('account revoke and account restore', () => {
  it('account revoke removes the role of the identity, and account restore grants exactly that again, each once', async () => {
    const site = procedures.site();
    const account = procedures.encrypted(site);
    const before = structuredClone(rolesOf(site));
    const as = admin(site);

    const planned = await procedures.run(revoking(account), { as, dryRun: true });
    const role = `role of ${site.identity.principalId} on ${site.vault.name}`;

    expect(texts(planned, 'planned')).toEqual([`${role} removed`]);
    expect([rolesOf(site), recordsOf(account)]).toEqual([before, []]);

    const revoked = await procedures.run(revoking(account), { as });
    expect(revoked.result).toMatchObject({ complete: true, audit: 'written', removed: [{ kind: 'role' }] });
    expect(texts(revoked, 'done')).toEqual([`${role} removed`]);
    expect(texts(revoked, 'note').join()).toMatch(/Not permanent.*cmk account restore/);
    expect(texts(revoked, 'note').join()).toMatch(/drift check .* IdentityWithoutRole until then/);
    expect(rolesOf(site)).toEqual([]);

    const again = await procedures.run(revoking(account), { as });
    expect([again.changed, again.result.complete]).toEqual([false, true]);

    expect((await procedures.run(restoring(account), { as, dryRun: true })).changed).toBe(true);
    expect(rolesOf(site)).toEqual([]);

    const restored = await procedures.run(restoring(account), { as });
    expect(texts(restored, 'done')).toEqual([`${role} restored`]);
    expect(rolesOf(site).map(({ id, scope }) => [id, scope])).toEqual(before.map(({ id, scope }) => [id, scope]));
    expect((await procedures.run(restoring(account), { as })).changed).toBe(false);

    expect(recordsOf(account)).toEqual([
      'account.revoke AccountRevocationBegun',
      'account.revoke AccountRevoked',
      'account.restore AccountRestored',
    ]);
  });

  it('account revoke and account restore need no write to the vault, so they work while it is failed over', async () => {
    const site = procedures.site();
    const account = procedures.encrypted(site);
    const before = rolesOf(site).map(({ id, scope }) => [id, scope]);
    const as = admin(site);
    const { settings } = procedures.world;
    settings.failedOverVaults = [site.vault.name];

    try {
      const revoked = await procedures.run(revoking(account, { shared: true }), { as });
      expect(revoked.result).toMatchObject({ complete: true, removed: [{ kind: 'role' }] });
      expect(rolesOf(site)).toEqual([]);

      await procedures.run(restoring(account), { as });
      expect(rolesOf(site).map(({ id, scope }) => [id, scope])).toEqual(before);
    } finally {
      settings.failedOverVaults = [];
    }
  });

  it('account restore grants nothing to an identity that the account no longer has, nor in a vault of an earlier key', async () => {
    const site = procedures.site();
    const account = procedures.encrypted(site);
    const as = admin(site);

    await procedures.run(revoking(account), { as });

    // Access is repaired by hand: another identity, a key in another vault, and no restore.
    const moved = procedures.site({ group: site.group.name });
    const key = { vault: moved.vault, keyName: moved.key, mode: 'automatic' } as const;
    const present = addAccount(procedures.world, site.group, { name: account.name, identity: moved.identity, key });

    await procedures.run(revoking(present), { as });

    const restored = await procedures.run(restoring(present), { as });

    expect([rolesOf(site), rolesOf(moved)]).toMatchObject([[], [{ scope: moved.vault.id }]]);

    const note = `role of ${site.identity.principalId} on ${site.vault.name} NOT restored`;
    expect(texts(restored, 'note').join()).toContain(note);
    expect(texts(restored, 'note').join()).toContain('cmk admin grant-role --assignee');
    expect(restored.result.restored).toHaveLength(1);
  });

  it('account revoke and account restore complete by the same command what failed half-way', async () => {
    const site = procedures.site();
    const account = procedures.encrypted(site);
    const scope = `${site.vault.id}/keys/${site.key}`;

    addRoleAssignment(procedures.world, { scope, principalId: site.identity.principalId, role: USER, settled: true });

    const before = rolesOf(site).map(({ id }) => id);
    const as = admin(site);
    const path = `/keys/${site.key}/providers/Microsoft.Authorization/roleAssignments/`;
    const fail = (method: string) =>
      procedures.local.faults.add([{ match: { method, path }, answer: { status: 403 } }]);

    fail('DELETE');

    await expect(procedures.run(revoking(account), { as })).rejects.toMatchObject({ statusCode: 403 });

    procedures.local.faults.clear();

    expect((await procedures.run(revoking(account), { as })).result.complete).toBe(true);
    expect(rolesOf(site)).toEqual([]);

    fail('PUT');

    await expect(procedures.run(restoring(account), { as })).rejects.toMatchObject({ statusCode: 403 });

    procedures.local.faults.clear();
    await procedures.run(restoring(account), { as });

    expect(rolesOf(site).map(({ id }) => id)).toEqual(before);
  });

  it('account revoke names the other accounts of a shared identity, and proceeds only with --shared', async () => {
    const site = procedures.site();
    const account = procedures.encrypted(site);
    const other = procedures.encrypted(site);
    const as = admin(site);
    const refused = await procedures.refusal(revoking(account), { as });

    expect([refused.reason, refused.message]).toEqual(['IdentityShared', expect.stringContaining(other.name)]);

    const revoked = await procedures.run(revoking(account, { shared: true }), { as });
    expect(revoked.result).toMatchObject({ complete: true, others: [other.id] });
    expect(texts(revoked, 'note').join()).toContain(
      `Other resources with the same identity lose access too: ${other.name}`,
    );
  });

  it('account revoke names only the accounts with the same identity that use a key of that vault, by a scope too', async () => {
    const site = procedures.site();
    const account = procedures.encrypted(site);
    const { identity } = site;
    const vault = addVault(procedures.world, site.group, unique('kv-'));

    addKeyVersion(procedures.world, vault, 'other');
    allowStorage(procedures.world, vault, identity.principalId);

    const key = { vault, keyName: 'other', mode: 'automatic' } as const;
    const scopes = [{ name: 'here', key: { vault: site.vault, keyName: site.key, mode: 'automatic' } as const }];

    addAccount(procedures.world, site.group, { name: unique('st'), identity, key });

    const scoped = addAccount(procedures.world, site.group, { name: unique('st'), identity, key, scopes });

    const revoked = await procedures.run(revoking(account, { shared: true }), { as: admin(site) });
    expect(revoked.result.others).toEqual([scoped.id]);

    const recorded = trail.entries.findLast(({ resource }) => resource === account.id);
    expect(recorded?.details).toMatchObject({ others: [scoped.id] });
  });

  it('account revoke names resources of other services with the same identity, and proceeds only with --shared', async () => {
    const site = procedures.site();
    const account = procedures.encrypted(site);
    const keyId = `${site.vault.properties.vaultUri}keys/${site.key}`;
    const add = (type: string, properties: object, identity: object) => {
      const resource = addOtherResource(procedures.world, site.group, type, unique('r'), { ...properties });
      return Object.assign(resource, { identity });
    };
    const userAssignedIdentities = { [site.identity.id.replace('resourceGroups', 'resourcegroups')]: {} };
    const primary = { keyId, primaryUserAssignedIdentityId: site.identity.id };
    const disks = { activeKey: { keyUrl: keyId, sourceVault: { id: site.vault.id } } };
    const server = add('Microsoft.Sql/servers', primary, {});
    const set = add('Microsoft.Compute/diskEncryptionSets', disks, { userAssignedIdentities });

    add('Microsoft.Compute/diskEncryptionSets', disks, { principalId: randomUUID() });

    const as = admin(site);
    const refused = await procedures.refusal(revoking(account), { as });

    expect(refused).toMatchObject({
      reason: 'IdentityShared',
      message: expect.stringContaining(getLastName(server.id)),
    });

    const revoked = await procedures.run(revoking(account, { shared: true }), { as });
    expect(revoked.result).toMatchObject({ complete: true, others: [server.id, set.id].sort() });
  });

  it('account revoke proceeds with --shared if the other resources cannot be listed, and says so', async () => {
    const site = procedures.site();
    const account = procedures.encrypted(site);
    procedures.local.faults.add([{ match: { path: 'Microsoft.ResourceGraph' }, answer: { status: 403 } }]);
    const as = admin(site);
    expect((await procedures.refusal(revoking(account), { as })).reason).toBe('SubscriptionUnreadable');
    const revoked = await procedures.run(revoking(account, { shared: true }), { as });
    expect(revoked.result.complete).toBe(true);
    expect(texts(revoked, 'note').join()).toContain('cannot be listed');
  });

  it('account revoke is incomplete while the identity may use the key of an encryption scope, until that is disabled', async () => {
    const site = procedures.site();
    const vault = addVault(procedures.world, site.group, unique('kv-'));

    addKeyVersion(procedures.world, vault, 'other');
    addKeyVersion(procedures.world, site.vault, 'beside');
    allowStorage(procedures.world, vault, site.identity.principalId);

    const key = { vault: site.vault, keyName: site.key, mode: 'automatic' } as const;
    const scopes = [
      { name: 'elsewhere', key: { ...key, vault, keyName: 'other' } },
      { name: 'beside', key: { ...key, keyName: 'beside' } },
      { name: 'own', key },
    ];

    const { identity } = site;
    const account = addAccount(procedures.world, site.group, { name: unique('st'), identity, key, scopes });
    const as = admin(site);
    const disable = `cmk scope disable ${account.name} elsewhere`;

    const planned = await procedures.run(revoking(account), { as, dryRun: true });
    expect(texts(planned, 'note').join('\n')).toContain(disable);

    const revoked = await procedures.run(revoking(account), { as });
    expect(revoked.result.complete).toBe(false);

    const notes = texts(revoked, 'note').join('\n');
    expect(notes).toContain(disable);
    expect(notes).not.toMatch(/scope disable \S+ (beside|own)/);

    // The role on the key of the account is gone all the same.
    expect(recordsOf(account).at(-1)).toBe('account.revoke AccountRevoked');

    Object.assign(account.encryptionScopes.get('elsewhere') ?? {}, { state: 'Disabled' });

    expect((await procedures.run(revoking(account), { as })).result.complete).toBe(true);
  });

  it('account revoke names the data that keys of Microsoft encrypt, which stays readable', async () => {
    const site = procedures.site();
    const { identity, group } = site;
    const key = { vault: site.vault, keyName: site.key, mode: 'automatic' } as const;
    const scopes = [{ name: 'platform' }];
    const options = { name: unique('st'), identity, key, scopes, ownServiceKeys: true };
    const account = addAccount(procedures.world, group, options);
    const revoked = await procedures.run(revoking(account), { as: admin(site), dryRun: true });
    const notes = texts(revoked, 'note').join('\n');

    expect(notes).toContain(`cmk scope disable ${account.name} platform`);
    expect(notes).toContain('A key of Microsoft encrypts its queues and tables: they stay readable.');
  });

  it('account revoke is rejected if accounts cannot be listed, as a shared identity would stay unknown', async () => {
    const site = procedures.site();
    const account = procedures.encrypted(site);
    const as = admin(site);
    const azure = procedures.azure(as);
    const list = () => {
      throw new Error('no answer');
    };
    const accounts = { ...azure.accounts, list };

    await expect(procedures.run(revoking(account), { azure: { ...azure, accounts } })).rejects.toMatchObject({
      reason: 'SubscriptionUnreadable',
    });
    expect(rolesOf(site)).toHaveLength(1);
  });

  it.each<[string, (site: Site) => StorageAccount, RegExp]>([
    ['a role above the vault', (site) => regranted(site, site.group.id, USER), /above the vault/],
    [
      'another role',
      (site) => regranted(site, site.vault.id, BUILT_IN_ROLES['Key Vault Crypto Officer']),
      /a role other than/,
    ],
    [
      'an access policy',
      (site) => {
        const account = procedures.encrypted(site);
        const accessPolicies = policiesOf(site.identity.principalId);
        Object.assign(site.vault.properties, { enableRbacAuthorization: false, accessPolicies });
        return account;
      },
      /reaches the key by an access policy/,
    ],
    [
      'an access policy that may be that of a group',
      (site) => {
        const account = procedures.encrypted(site);
        const accessPolicies = policiesOf(randomUUID());
        Object.assign(site.vault.properties, { enableRbacAuthorization: false, accessPolicies });
        return account;
      },
      /reaches the key perhaps by an access policy of a group/,
    ],
    ['a Managed HSM', (site) => inHsm(site), /Managed HSM/],
  ])('account revoke rejects what account restore could not grant again: %s', async (_, accountIn, message) => {
    const site = procedures.site();
    const refused = await procedures.refusal(revoking(accountIn(site)), { as: admin(site) });
    expect(refused).toMatchObject({ reason: 'AccountNotRevocable', message: expect.stringMatching(message) });
    expect(rolesOf(site)).toHaveLength(1);
  });

  it.each([
    ['a management group', CORP],
    ['the root', '/'],
  ])(
    'account revoke is rejected while a role at %s exists beside the one at the vault, and prints who can remove it',
    async (_, scope) => {
      const site = procedures.site();
      const account = procedures.encrypted(site);
      const { principalId } = site.identity;
      const above = addRoleAssignment(procedures.world, { scope, principalId, role: USER, settled: true });

      const refused = await procedures.refusal(revoking(account), { as: admin(site) });
      expect(refused.reason).toBe('AccountNotRevocable');
      expect(refused.message).toContain(`assigned above the vault, at ${scope}.`);
      expect(refused.nextStep).toContain(`User Access Administrator of ${scope}`);
      expect(refused.nextStep).toContain(`az role assignment delete --ids ${above.id}\n`);
      expect(rolesOf(site)).toHaveLength(2);

      procedures.world.roleAssignments.delete(above.id.toLowerCase());

      expect((await procedures.run(revoking(account), { as: admin(site) })).result.complete).toBe(true);
    },
  );

  it('account revoke is incomplete if access that cannot be removed appears during the removal, and names it', async () => {
    const site = procedures.site();
    const account = procedures.encrypted(site);
    const { principalId } = site.identity;
    const azure = procedures.azure(admin(site));
    const remove = async (...of: Parameters<typeof azure.roles.remove>) => {
      await azure.roles.remove(...of);
      addRoleAssignment(procedures.world, { scope: CORP, principalId, role: USER, settled: true });
    };
    const roles = { ...azure.roles, remove };
    const revoked = await procedures.run(revoking(account), { azure: { ...azure, roles } });

    expect(revoked.result.complete).toBe(false);
    expect(texts(revoked, 'note').join('\n')).toContain(`still reaches the key by a role`);
    expect(recordsOf(account).at(-1)).toBe('account.revoke AccountRevocationIncomplete');
  });

  it.each([
    ['the vault', ({ vault }: Site) => vault.id],
    ['its resource group', ({ group }: Site) => group.id],
  ])(
    'account revoke is rejected while a lock on %s prevents the removal of roles, and prints how to remove it',
    async (_, scopeOf) => {
      const site = procedures.site();
      const account = procedures.encrypted(site);
      const as = admin(site);
      const id = lock(scopeOf(site));

      for (const dryRun of [true, false]) {
        const refused = await procedures.refusal(revoking(account), { as, dryRun });
        expect(refused).toMatchObject({ reason: 'AccountNotRevocable', message: expect.stringContaining('A lock') });
        expect(refused.nextStep).toContain(`az lock delete --ids ${id}\n`);
      }

      expect([rolesOf(site).length, recordsOf(account)]).toEqual([1, []]);
    },
  );

  it('account revoke reports an identity without an access policy as without access', async () => {
    const site = procedures.site();
    const account = procedures.encrypted(site);
    Object.assign(site.vault.properties, { enableRbacAuthorization: false, accessPolicies: [] });
    const revoked = await procedures.run(revoking(account), { as: admin(site) });
    expect(revoked.result).toMatchObject({ removed: [], complete: true });
    expect(texts(revoked, 'found').join()).toContain('has no access to');
  });

  it('account revoke works without an audit trail, and prints what to grant again by hand', async () => {
    const site = procedures.site();
    const account = procedures.encrypted(site);
    const [role] = rolesOf(site);
    const revoked = await procedures.run(revoking(account, NO_AUDIT), { as: admin(site) });
    expect(revoked.result).toMatchObject({ complete: true, audit: 'out of reach' });
    expect(texts(revoked, 'note').join()).toContain(`"name":"${role?.id.split('/').at(-1)}"`);
  });
});

it('scope disable and scope enable change the state of an encryption scope, each once', async () => {
  const site = procedures.site();
  const account = withScope(site, 'Enabled');
  const as = admin(site);

  expect((await procedures.run(scoping(account, 'Disabled'), { as, dryRun: true })).changed).toBe(true);
  expect(stateOf(account)).toBe('Enabled');

  for (const state of ['Disabled', 'Enabled'] as const) {
    expect((await procedures.run(scoping(account, state), { as })).changed).toBe(true);
    expect(stateOf(account)).toBe(state);
    expect((await procedures.run(scoping(account, state), { as })).changed).toBe(false);
  }
});

describe('the command line', () => {
  it('The command line asks for the name before account revoke and scope disable, and prints it in JSON', async () => {
    const site = procedures.site();
    const account = withScope(site, 'Enabled');
    const unconfirmed = [
      ['account', 'revoke', account.name, '--reason', 'test'],
      ['scope', 'disable', account.name, 'scope1'],
    ];

    for (const args of unconfirmed) expect((await runCmk(procedures, args)).code, args.join(' ')).toBe(2);

    const revoked = await runCmk(procedures, [...(unconfirmed[0] ?? []), '--yes', '--json']);
    expect(revoked.code, revoked.err).toBe(0);
    expect(JSON.parse(revoked.out)).toMatchObject({ result: { complete: true, others: [] } });

    const disabled = await runCmk(procedures, [...(unconfirmed[1] ?? []), '--yes', '--json']);
    expect(JSON.parse(disabled.out)).toMatchObject({ result: { scope: 'scope1', state: 'Disabled' } });

    const bad = await runCmk(procedures, ['scope', 'disable', account.name, '../x', '--yes']);
    expect(bad.code).toBe(2);

    // The audit trail says what to restore.
    const restored = await runCmk(procedures, ['account', 'restore', account.name, '--reason', 'test', '--yes']);
    expect([restored.code, restored.err]).toEqual([2, expect.stringContaining('AzureWebJobsStorage')]);
  });
});

/** An account whose identity has this role alone. */
function regranted(site: Site, scope: string, role: typeof USER): StorageAccount {
  const { principalId } = site.identity;
  for (const { id } of rolesOf(site)) procedures.world.roleAssignments.delete(id.toLowerCase());
  addRoleAssignment(procedures.world, { scope, principalId, role, settled: true });
  return procedures.encrypted(site);
}

/** Locks a scope against deletion, and gives the id of the lock. */
function lock(scope: string): string {
  const id = `${scope}/providers/Microsoft.Authorization/locks/${unique('lock-')}`;
  const properties = { level: 'CanNotDelete' };
  const resource = { id, type: 'Microsoft.Authorization/locks', scope, properties };
  procedures.world.extensions.set(id.toLowerCase(), resource);
  return id;
}

/** An account on a key of a Managed HSM, with the identity of a site. */
function inHsm({ group, identity }: Site): StorageAccount {
  const hsm = addManagedHsm(procedures.world, group, unique('hsm'));
  addKeyVersion(procedures.world, hsm, 'hsm-key');
  allowStorage(procedures.world, hsm, identity.principalId);
  const key = { vault: hsm, keyName: 'hsm-key', mode: 'pinned' } as const;
  return addAccount(procedures.world, group, { name: unique('st'), identity, key });
}

function withScope({ group, identity, vault, key }: Site, state: 'Enabled' | 'Disabled'): StorageAccount {
  const use = { vault, keyName: key, mode: 'pinned' } as const;
  const scopes = [{ name: 'scope1', key: use }];
  const account = addAccount(procedures.world, group, { name: unique('st'), identity, key: use, scopes });
  Object.assign(account.encryptionScopes.get('scope1') ?? {}, { state });
  return account;
}

function stateOf(account: StorageAccount): string | undefined {
  return account.encryptionScopes.get('scope1')?.state;
}
