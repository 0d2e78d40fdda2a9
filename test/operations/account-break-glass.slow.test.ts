import { describe, expect, it } from 'vitest';
import { SUBSCRIPTION_ID } from '../../local/azure/constants.ts';
import { addAccount, addKeyVersion, addManagedHsm, addRoleAssignment, allowStorage } from '../../local/azure/fleet.ts';
import { assignLocalRole, LOCAL_ROLES } from '../../local/azure/key-vault/local-access.ts';
import { BUILT_IN_ROLES } from '../../local/azure/roles/built-in-roles.ts';
import type { Principal, StorageAccount } from '../../local/azure/world.ts';
import { restoreAccountAsOperator } from '../../src/operations/account/account-restore.ts';
import { previewAccountRevocation, revokeAccountAsOperator } from '../../src/operations/account/account-revoke.ts';
import { Journal } from '../../src/operations/journal.ts';
import type { AppRecord } from '../../src/operations/key/app-record.ts';
import type { Operation } from '../../src/operations/operator-azure.ts';
import { readAccountRevocations } from '../../src/revocation/account-record.ts';
import { type Site, texts, unique, useProcedures } from '../support/procedures.ts';
import { runCmk } from '../support/run-cmk.ts';

const procedures = useProcedures();
const app: AppRecord = {
  audit: async () => ({ written: { file: 'f', seq: 1, hash: 'h' } }),
  queue: { send: async () => {} },
};

/** Whether others have the identity takes a look at the whole subscription. */
function seeing(person: Principal): Principal {
  const scope = `/subscriptions/${SUBSCRIPTION_ID}`;
  addRoleAssignment(procedures.world, {
    scope,
    principalId: person.objectId,
    role: BUILT_IN_ROLES.Reader,
    settled: true,
  });
  return person;
}
const admin = ({ group }: Site): Principal =>
  seeing(procedures.somebodyWith(group.id, 'Owner', 'Key Vault Crypto Officer'));
const revoking =
  ({ name: account }: StorageAccount, scope?: string) =>
  (operation: Operation) =>
    revokeAccountAsOperator({ account, scope, reason: 'test', environment: {}, app }, operation);
const restoring =
  (account: StorageAccount, revocation = openOn(account)[0]?.id ?? 'none') =>
  (operation: Operation) =>
    restoreAccountAsOperator({ account: account.name, revocation, reason: 'test', dualControl: true, app }, operation);
const openOn = ({ tags }: StorageAccount) => readAccountRevocations(tags, procedures.local.clock.now()).open;
const rolesOf = ({ identity }: Pick<Site, 'identity'>) =>
  [...procedures.world.roleAssignments.values()].filter(({ principalId }) => principalId === identity.principalId);

/** Adds an account with the identity of a site on another one's key, whose vault that identity reaches too. */
function addElsewhere(
  { group, vault, key }: Site,
  { identity }: Site,
  more: Partial<Parameters<typeof addAccount>[2]> = {},
): StorageAccount {
  allowStorage(procedures.world, vault, identity.principalId);
  const use = { vault, keyName: key, mode: 'pinned' } as const;
  return addAccount(procedures.world, group, { name: unique('st'), identity, key: use, ...more });
}

describe('account revoke and account restore', () => {
  it('take the role of the identity away and give exactly that back, by a second person', async () => {
    const site = procedures.site();
    const account = procedures.encrypted(site);
    const [first, second] = [admin(site), admin(site)];
    const [before] = structuredClone(rolesOf(site));

    const preview = await procedures.run(
      (operation) => previewAccountRevocation({ account: account.name }, operation),
      {
        as: first,
        dryRun: true,
      },
    );
    const name = `role of ${site.identity.principalId} on ${site.vault.name}`;
    expect(texts(preview, 'planned')).toEqual([`${name} taken away`]);
    expect(texts(preview, 'note').join('\n')).toMatch(/Stops: .*share1[\s\S]*Goes on: [\s\S]*Not documented: /);
    expect(rolesOf(site)).toEqual([before]);

    const revoked = await procedures.run(revoking(account), { as: first });
    expect(revoked.result).toMatchObject({
      complete: true,
      audit: 'written',
      auditReceipt: '1:h',
      revocation: { revokedBy: first.objectId },
    });
    expect(texts(revoked, 'done')).toEqual([`${name} taken away`]);
    expect(rolesOf(site)).toEqual([]);
    const { id } = revoked.result.revocation ?? { id: '' };
    const restoreIt = `cmk account restore ${account.name} --revocation ${id} --reason '<why>'`;
    expect(texts(revoked, 'note')).toContain(`To give access back, a second person runs: ${restoreIt}`);

    expect(await procedures.refusal(restoring(account, 'cafe'), { as: second })).toMatchObject({
      reason: 'OtherRevocation',
      nextStep: `If that is the one you mean: ${restoreIt}`,
    });
    expect(await procedures.refusal(restoring(account), { as: first })).toMatchObject({ reason: 'SecondPersonNeeded' });
    const planned = await procedures.run(restoring(account), { as: second, dryRun: true });
    expect(texts(planned, 'planned')).toEqual([`${name} given back`]);
    expect(rolesOf(site)).toEqual([]);

    const restored = await procedures.run(restoring(account), { as: second });
    expect(restored.result).toMatchObject({ complete: true, audit: 'written', auditReceipt: '1:h' });
    expect(rolesOf(site).map(({ id: one }) => one)).toEqual([before?.id]);
    expect(account.tags).toEqual({});
    expect((await procedures.run(restoring(account, id), { as: second })).changed).toBe(false);
  });

  it.each(['keys', 'vaults'])('work in a resource group that is called %s', async (group) => {
    const site = procedures.site({ group });
    const account = procedures.encrypted(site);
    const roles = rolesOf(site);
    expect((await procedures.run(revoking(account), { as: admin(site) })).result.complete).toBe(true);
    expect(rolesOf(site)).toEqual([]);
    expect((await procedures.run(restoring(account), { as: admin(site) })).result.complete).toBe(true);
    expect(rolesOf(site).map(({ id }) => id)).toEqual(roles.map(({ id }) => id));
  });

  it('are not proved for an account that was moved to another vault meanwhile, and finished by the same call', async () => {
    const site = procedures.site();
    const account = procedures.encrypted(site);
    const other = procedures.site();
    const elsewhere = addElsewhere(other, site);
    const { encryption } = elsewhere;
    procedures.world.storageAccounts.delete(elsewhere.name);
    const owner = admin(site);
    addRoleAssignment(procedures.world, {
      scope: other.group.id,
      principalId: owner.objectId,
      role: BUILT_IN_ROLES.Owner,
      settled: true,
    });
    const azure = procedures.azure(owner);
    const remove: typeof azure.keyRoles.remove = async (...of) => {
      account.encryption = encryption;
      await azure.keyRoles.remove(...of);
    };
    const moved = await procedures.run(revoking(account), {
      azure: { ...azure, keyRoles: { ...azure.keyRoles, remove } },
    });
    expect(moved.result.complete).toBe(false);
    expect((await procedures.run(revoking(account), { as: owner })).result.complete).toBe(true);
    expect(rolesOf(site)).toEqual([]);
  });

  it('leave the role of somebody else alone, by whose name the record has been edited', async () => {
    const site = procedures.site();
    const account = procedures.encrypted(site);
    const [mine] = rolesOf(site);
    const before = new Set(procedures.world.roleAssignments.keys());
    allowStorage(procedures.world, site.vault, procedures.stranger().objectId);
    const [theirs = ''] = [...procedures.world.roleAssignments.keys()].filter((id) => !before.has(id));
    await procedures.run(revoking(account), { as: admin(site) });
    const nameOf = (id = '') => id.slice(id.lastIndexOf('/') + 1);
    account.tags = Object.fromEntries(
      Object.entries(account.tags).map(([tag, value]) => [tag, value.replace(nameOf(mine?.id), nameOf(theirs))]),
    );
    // It is theirs that is there, and not the one that was taken.
    expect((await procedures.run(restoring(account), { as: admin(site) })).result.complete).toBe(false);
    expect(rolesOf(site)).toEqual([]);
    // One that is overtaken takes back what was its own to give.
    const azure = procedures.azure(admin(site));
    let isFirst = true;
    const find: typeof azure.keyRoles.find = async (...of) => {
      if (isFirst) {
        isFirst = false;
        await procedures.run(revoking(account), { as: admin(site) });
      }
      return azure.keyRoles.find(...of);
    };
    await expect(
      procedures.run(restoring(account), { azure: { ...azure, keyRoles: { ...azure.keyRoles, find } } }),
    ).rejects.toMatchObject({ reason: 'RestoreOvertaken' });
    expect(procedures.world.roleAssignments.has(theirs)).toBe(true);
  });

  it('disable and enable one encryption scope', async () => {
    const site = procedures.site();
    const account = addAccount(procedures.world, site.group, {
      name: unique('st'),
      identity: site.identity,
      scopes: [{ name: 'scope1', key: { vault: site.vault, keyName: site.key, mode: 'pinned' } }],
    });
    const state = () => account.encryptionScopes.get('scope1')?.state;
    expect((await procedures.run(revoking(account, 'scope1'), { as: admin(site) })).result.complete).toBe(true);
    expect(state()).toBe('Disabled');
    expect((await procedures.run(restoring(account), { as: admin(site) })).result.complete).toBe(true);
    expect(state()).toBe('Enabled');
    expect(rolesOf(site)).toHaveLength(1);
  });

  it('take a local role of a Managed HSM, and leave what the identity has in a vault of the same name', async () => {
    const site = procedures.site();
    const hsm = addManagedHsm(procedures.world, site.group, site.vault.name);
    const local = () => [...(hsm.local?.roleAssignments.values() ?? [])];
    addKeyVersion(procedures.world, hsm, 'vault-key');
    allowStorage(procedures.world, hsm, site.identity.principalId);
    const account = addAccount(procedures.world, site.group, {
      name: unique('st'),
      identity: site.identity,
      key: { vault: hsm, keyName: 'vault-key', mode: 'pinned' },
    });
    const [inVault, inHsm] = [rolesOf(site), local()];
    const principalId = site.identity.principalId;
    const ofIdentity = () => local().filter((one) => one.principalId === principalId);
    const as = (role: keyof typeof LOCAL_ROLES) => {
      const person = admin(site);
      if (hsm.local) assignLocalRole(hsm.local, { principalId: person.objectId, role: LOCAL_ROLES[role], scope: '/' });
      return person;
    };
    const refused = await procedures.refusal(revoking(account), { as: as('cryptoAuditor') });
    expect(refused).toMatchObject({ reason: 'MissingPermission' });
    expect(refused.nextStep).toContain('Microsoft.KeyVault/managedHsm/roleAssignments/delete/action');
    expect([ofIdentity().length, account.tags]).toEqual([1, {}]);

    const revoked = await procedures.run(revoking(account), { as: as('policyAdministrator') });
    expect(revoked.result.complete).toBe(true);
    expect(texts(revoked, 'done')).toEqual([`local role of ${principalId} on ${hsm.name}/keys taken away`]);
    expect([ofIdentity(), rolesOf(site)]).toEqual([[], inVault]);
    const giving = ['identity', 'ensure', site.identity.name];
    const inHsmAgain = await runCmk(procedures, [...giving, '--hsm', hsm.name]);
    expect([inHsmAgain.code, inHsmAgain.err]).toEqual([3, expect.stringContaining('cmk account restore')]);
    // The vault of the same name is nothing that was revoked. What was taken was of all keys, and so is another key.
    expect((await runCmk(procedures, [...giving, '--vault', site.vault.name])).code).toBe(0);
    const another = await runCmk(procedures, [...giving, '--hsm', hsm.name, '--key', 'another']);
    expect([another.code, another.err]).toEqual([3, expect.stringContaining('cmk account restore')]);
    expect(ofIdentity()).toEqual([]);
    const restored = await procedures.run(restoring(account), { as: as('policyAdministrator') });
    expect(texts(restored, 'done')).toEqual([`local role of ${principalId} on ${hsm.name}/keys given back`]);
    expect(ofIdentity()).toEqual(inHsm.filter((one) => one.principalId === principalId));
  });

  it('are refused when another account has encryption scopes alone in the vault, by the same identity', async () => {
    const site = procedures.site();
    const account = procedures.encrypted(site);
    const other = procedures.site();
    const sharing = addElsewhere(other, site);
    expect((await procedures.run(revoking(account), { as: admin(site) })).result.complete).toBe(true);
    expect((await procedures.run(restoring(account), { as: admin(site) })).result.complete).toBe(true);
    procedures.world.storageAccounts.delete(sharing.name);
    addElsewhere(other, site, {
      name: sharing.name,
      scopes: [{ name: 'scope1', key: { vault: site.vault, keyName: site.key, mode: 'pinned' } }],
    });
    const refused = await procedures.refusal(revoking(account), { as: admin(site) });
    expect(refused).toMatchObject({ reason: 'IdentityShared' });
    expect(refused.message).toContain(sharing.name);
  });

  it('are refused by a lock on the vault, which keeps roles from being taken away, and leave no record', async () => {
    const site = procedures.site();
    const account = procedures.encrypted(site);
    const type = 'Microsoft.Authorization/locks';
    const id = `${site.vault.id}/providers/${type}/keep`;
    const lock = { id, name: 'keep', type, scope: site.vault.id, properties: { level: 'CanNotDelete' } };
    procedures.world.extensions.set(id.toLowerCase(), lock);
    const preview = await procedures.run((asked) => previewAccountRevocation({ account: account.name }, asked), {
      as: admin(site),
      dryRun: true,
    });
    expect(texts(preview, 'note').join()).toContain(`A lock on ${site.vault.name}`);
    const operation = { azure: procedures.azure(admin(site)), journal: new Journal() };
    await expect(revoking(account)(operation)).rejects.toMatchObject({
      reason: 'AccountNotRevocable',
      message: expect.stringMatching(/lock keeps.*Nothing was changed/),
    });
    expect(account.tags).toEqual({});
    expect(rolesOf(site)).toHaveLength(1);
  });

  it('are refused for what is under keys of Microsoft, and say which right is lacking', async () => {
    const site = procedures.site();
    expect((await procedures.refusal(revoking(site.account))).reason).toBe('AccountNotManaged');
    const account = procedures.encrypted(site);
    const reader = seeing(procedures.stranger());
    expect(await procedures.refusal(revoking(account), { as: reader })).toMatchObject({ reason: 'RecordNotWritten' });
    expect(rolesOf(site)).toHaveLength(1);
  });

  it('keep an account from being moved, and its identity from being given a role, by other commands', async () => {
    const site = procedures.site();
    const account = procedures.encrypted(site, 'pinned');
    await procedures.run(revoking(account), { as: admin(site) });
    const next = procedures.nextVersion(site);
    const key = ['--vault', site.vault.name, '--key', site.key];
    const identity = ['--identity', site.identity.name];
    for (const args of [
      ['pin', account.name],
      ['unpin', account.name],
      ['change-key', account.name, ...key],
      ['enable', account.name, ...key, '--grant'],
      ['disable', account.name, '--yes'],
      ['onboard', account.name, ...key, ...identity],
    ]) {
      const { code, err } = await runCmk(procedures, ['account', ...args]);
      expect([code, err], args.join(' ')).toEqual([3, expect.stringContaining('cmk account restore')]);
    }
    // By a name of the identity alone, or with another account that has it, it gets none either.
    const other = addAccount(procedures.world, site.group, { name: unique('st') });
    for (const args of [
      ['identity', 'ensure', site.identity.name, ...key.slice(0, 2)],
      ['identity', 'ensure', site.identity.name, ...key],
      ['role', 'ensure', '--assignee', site.identity.principalId, ...key.slice(0, 2)],
      ['account', 'onboard', other.name, ...key, ...identity],
    ]) {
      const { code, err } = await runCmk(procedures, args);
      expect([code, err], args.join(' ')).toEqual([3, expect.stringContaining(`cmk account restore ${account.name}`)]);
    }
    expect(rolesOf(site)).toEqual([]);
    expect(account.encryption.keyvaultproperties?.keyversion).not.toBe(next.version);
    // And those that look say what it is, and not that a role is to be given.
    const verified = await runCmk(procedures, ['account', 'verify', account.name]);
    expect(verified.out).toMatch(/revoked by itself on[\s\S]*cmk account restore/);
    expect(verified.out).not.toContain('cmk role ensure');
    await runCmk(procedures, ['key', 'revoke', site.key, '--vault', site.vault.name, '--reason', 'test', '--yes']);
    const id = site.version.tags?.['cmk-revocation']?.split(' ')[0] ?? '';
    const restored = await runCmk(
      procedures,
      ['key', 'restore', site.key, '--vault', site.vault.name, '--revocation', id, '--reason', 'test', '--yes'],
      { env: { CMK_DUAL_CONTROL: 'off' } },
    );
    expect(restored.err + restored.out).toMatch(/revoked by itself; it gets its access back by: cmk account restore/);
    expect(rolesOf(site)).toEqual([]);
  });

  it('keep from its identity a role on the one key that was taken, and on the one that it was put onto since', async () => {
    const site = procedures.site();
    const account = procedures.encrypted(site);
    for (const { id } of rolesOf(site)) procedures.world.roleAssignments.delete(id.toLowerCase());
    addRoleAssignment(procedures.world, {
      scope: `${site.vault.id}/keys/${site.key}`,
      principalId: site.identity.principalId,
      role: BUILT_IN_ROLES['Key Vault Crypto Service Encryption User'],
      settled: true,
    });
    for (const name of ['third-key', 'other-key']) addKeyVersion(procedures.world, site.vault, name);
    await procedures.run(revoking(account), { as: admin(site) });
    const giving = (key: string) => ['--vault', site.vault.name, '--key', key];
    const refusedOn = async (key: string) => {
      const { code, err } = await runCmk(procedures, ['identity', 'ensure', site.identity.name, ...giving(key)]);
      expect([code, err], key).toEqual([3, expect.stringContaining(`cmk account restore ${account.name}`)]);
    };
    await refusedOn(site.key);
    // What it is not on, and was not taken, gives the account nothing.
    const third = await runCmk(procedures, ['identity', 'ensure', site.identity.name, ...giving('third-key')]);
    expect(third.code).toBe(0);
    Object.assign(account.encryption.keyvaultproperties ?? {}, { keyname: 'other-key' });
    await refusedOn('other-key');
    await refusedOn(site.key);
    expect(rolesOf(site).map(({ scope }) => scope)).toEqual([`${site.vault.id}/keys/third-key`]);
  });

  it('ask for the name on the command line, and for a reason', async () => {
    const site = procedures.site();
    const account = procedures.encrypted(site);
    const refused = await runCmk(procedures, ['account', 'revoke', account.name, '--reason', 'test'], {
      answer: 'another',
    });
    expect(refused.err).toContain('That is not the name');
    const done = await runCmk(procedures, ['account', 'revoke', account.name, '--reason', 'test', '--yes', '--json']);
    expect(done.code, done.err).toBe(0);
    expect(JSON.parse(done.out)).toMatchObject({ result: { complete: true } });
    expect(rolesOf(site)).toEqual([]);
  });
});
