import { describe, expect, it } from 'vitest';
import {
  addAccount,
  addIdentity,
  addKeyVersion,
  addManagedHsm,
  addVault,
  allowStorage,
  setRotationPolicy,
} from '../../../local/azure/fleet.ts';
import { assignLocalRole, LOCAL_ROLES } from '../../../local/azure/key-vault/local-access.ts';
import { onboardAccount } from '../../../src/cli/procedures/account/account-onboard.ts';
import { ensureOfficer, ensureRole } from '../../../src/cli/procedures/identity/identity-ensure.ts';
import type { Operation } from '../../../src/cli/procedures/operator-azure.ts';
import { findVault, resolveKeyByName } from '../../../src/cli/procedures/resolve.ts';
import { ensureVault } from '../../../src/cli/procedures/vault/vault-ensure.ts';
import { ENCRYPTION_USER } from '../../../src/identities/key-roles.ts';
import { texts, unique, useProcedures } from '../../support/procedures.ts';
import { runCmk } from '../../support/run-cmk.ts';

const procedures = useProcedures();

/** What an operation needs, in a Managed HSM. */
function hsmSite() {
  const { world } = procedures;
  const group = procedures.group();
  const vault = addManagedHsm(world, group, unique('hsm-'));
  const key = 'vault-key';
  const version = addKeyVersion(world, vault, key);

  setRotationPolicy(world, vault, key, { attributes: { expiryTime: 'P1Y' } });

  const identity = addIdentity(world, group, unique('id-'));

  allowStorage(world, vault, identity.principalId);

  const account = addAccount(world, group, { name: unique('st'), shares: ['share1'] });

  return { group, vault, key, version, identity, account };
}
type HsmSite = ReturnType<typeof hsmSite>;
const cloud = () => procedures.azure().cloud;
const rolesOf = ({ vault }: HsmSite, principalId: string) =>
  [...(vault.local?.roleAssignments.values() ?? [])]
    .filter((one) => one.principalId === principalId)
    .map(({ scope }) => scope);
const keyIn = ({ vault, key }: HsmSite) => resolveKeyByName(key, `managedHSMs/${vault.name}`, cloud());

describe('a Managed HSM', () => {
  it('A Managed HSM is found by its name, ARM id and URI, even if a vault has the same name', async () => {
    const site = hsmSite();
    const azure = procedures.azure();

    for (const text of [
      site.vault.name,
      site.vault.id,
      `https://${site.vault.name}.managedhsm.azure.net/`,
      `managedHSMs/${site.vault.name}`,
    ]) {
      expect(await findVault(text, azure), text).toMatchObject({
        id: site.vault.id,
        kind: 'managedHsm',
        accessModel: 'local',
      });
    }

    const twin = procedures.site();
    const name = twin.vault.name;

    addManagedHsm(procedures.world, twin.group, name);

    expect(await findVault(name, azure)).toMatchObject({ kind: 'vault' });
    expect(await findVault(`managedHSMs/${name}`, azure)).toMatchObject({ kind: 'managedHsm' });
    expect(resolveKeyByName('k', `managedHSMs/${name}`, cloud()).id).toBe(
      `https://${name}.managedhsm.azure.net/keys/k`,
    );
    expect(resolveKeyByName('k', name, cloud()).id).toBe(`https://${name}.vault.azure.net/keys/k`);
  });

  it('A Managed HSM without purge protection is rejected, with the command of az that turns it on', async () => {
    const { vault } = hsmSite();
    vault.properties.enablePurgeProtection = false;
    const refusal = await procedures.refusal((operation) => ensureVault({ name: vault.name }, operation));
    const nextStep = `az keyvault update-hsm --enable-purge-protection true --hsm-name ${vault.name}`;
    expect(refusal).toMatchObject({ reason: 'PurgeProtectionOff', nextStep: expect.stringContaining(nextStep) });
  });

  it('A local role of a Managed HSM is assigned to an identity once, on all keys or on one', async () => {
    const site = hsmSite();
    const vault = await findVault(site.vault.name, procedures.azure());
    const { principalId } = addIdentity(procedures.world, site.group, unique('id-'));
    const grantee = { principalId, principalType: 'ServicePrincipal', name: 'id' } as const;
    const ensure = (key?: string) => (operation: Operation) =>
      ensureRole({ role: ENCRYPTION_USER, grantee, vault, key }, operation);
    const planned = await procedures.run(ensure('vault-key'), { dryRun: true });

    expect(texts(planned, 'planned')).toEqual([
      `Managed HSM Crypto Service Encryption User assigned to id on key ${site.vault.name}/vault-key`,
    ]);
    expect(rolesOf(site, principalId)).toEqual([]);

    const given = await procedures.run(ensure('vault-key'));
    expect(given.entries).toMatchObject([
      { kind: 'done', action: 'role.assign', resource: `${site.vault.id}/keys/vault-key`, to: principalId },
    ]);
    expect(rolesOf(site, principalId)).toEqual(['/keys/vault-key']);
    expect(texts(await procedures.run(ensure('vault-key')), 'done')).toEqual([]);

    await procedures.run(ensure());

    expect(texts(await procedures.run(ensure()), 'found').join()).toContain(
      `id has what Managed HSM Crypto Service Encryption User allows on the keys of Managed HSM ${site.vault.name}`,
    );
    expect(rolesOf(site, principalId)).toEqual(['/keys/vault-key', '/keys']);
  });

  it.each(['..', '.', 'a/b', ''])(
    'A local role of a Managed HSM is not assigned on a key %j, which would be another scope',
    async (key) => {
      const site = hsmSite();
      const vault = await findVault(site.vault.name, procedures.azure());
      const { principalId } = addIdentity(procedures.world, site.group, unique('id-'));
      const grantee = { principalId, principalType: 'ServicePrincipal', name: 'id' } as const;
      const refusal = await procedures.refusal((operation) =>
        ensureRole({ role: ENCRYPTION_USER, grantee, vault, key }, operation),
      );
      expect(refusal.reason).toBe('ArgumentInvalid');
      expect(rolesOf(site, principalId)).toEqual([]);
    },
  );

  it('The command of an administrator is printed if the sign-in may not assign local roles, not even as an owner in Azure', async () => {
    const site = hsmSite();
    const { id } = site.vault;
    const as = procedures.somebodyWith(id.split('/providers/')[0] ?? '', 'Owner');
    const vault = await findVault(site.vault.name, procedures.azure());
    const { principalId } = addIdentity(procedures.world, site.group, unique('id-'));
    const grantee = { principalId, principalType: 'ServicePrincipal', name: 'id' } as const;
    const refusal = await procedures.refusal(
      (operation) => ensureRole({ role: ENCRYPTION_USER, grantee, vault, key: 'vault-key' }, operation),
      { as },
    );

    expect(refusal).toMatchObject({
      reason: 'MissingPermission',
      nextStep: expect.stringContaining(
        `az keyvault role assignment create --hsm-name ${site.vault.name} --role 'Managed HSM Crypto Service Encryption User' --assignee-object-id ${principalId} --assignee-principal-type ServicePrincipal --scope /keys/vault-key`,
      ),
    });
  });

  it('A local role is assigned to the signed-in operator, unless a group may have it', async () => {
    const site = hsmSite();
    const as = procedures.stranger();
    const vault = await findVault(site.vault.name, procedures.azure());
    const ensure = (operation: Operation) => ensureOfficer(vault, keyIn(site), 0, operation);

    if (!site.vault.local) throw new Error('It is a Managed HSM.');

    const policy = { principalId: as.objectId, role: LOCAL_ROLES.policyAdministrator, scope: '/' };

    assignLocalRole(site.vault.local, policy);

    // Owners have the role, and nothing that this sign-in sees tells whether they are groups.
    const undetermined = await procedures.refusal(ensure, { as });

    expect(undetermined.reason).toBe('NotPropagated');
    expect(rolesOf(site, as.objectId)).toEqual(['/']);

    for (const [name, { role }] of site.vault.local.roleAssignments) {
      if (role === LOCAL_ROLES.cryptoUser.name) site.vault.local.roleAssignments.delete(name);
    }

    const given = await procedures.run(ensure, { as });
    expect(texts(given, 'done')).toEqual([expect.stringMatching(/^Managed HSM Crypto User assigned to /)]);
    expect(rolesOf(site, as.objectId)).toEqual(['/', '/keys']);
    expect(texts(await procedures.run(ensure, { as }), 'done')).toEqual([]);
  });

  it('account onboard creates key, identity, local role and account with a Managed HSM, and changes nothing the second time', async () => {
    const site = hsmSite();
    const names = { vault: `managedHSMs/${site.vault.name}`, key: 'onboarded', identity: unique('id-') };
    const options = { account: site.account.name, ...names };
    const onboard = (operation: Operation) => onboardAccount(options, operation);
    const planned = await procedures.run(onboard, { dryRun: true });

    expect(texts(planned, 'planned').join('\n')).toContain('Managed HSM Crypto Service Encryption User assigned to');
    expect(site.vault.keys.has('onboarded')).toBe(false);

    const report = await procedures.run(onboard);
    expect(report.result.verification?.ok).toBe(true);

    const identity = [...procedures.world.identities.values()].find(({ name }) => name === names.identity);
    expect(rolesOf(site, identity?.principalId ?? '')).toEqual(['/keys']);
    expect((await procedures.run(onboard)).changed).toBe(false);
  });
});

describe('the command line', () => {
  it('The command line accepts a Managed HSM by --hsm, and never confuses it with a vault of that name', async () => {
    const site = hsmSite();

    addKeyVersion(procedures.world, addVault(procedures.world, site.group, site.vault.name), site.key);

    const status = await runCmk(procedures, ['key', 'show', site.key, '--hsm', site.vault.name]);
    expect(status.code).toBe(0);
    expect(status.out).toContain(`https://${site.vault.name}.managedhsm.azure.net/keys/${site.key}`);

    const other = addIdentity(procedures.world, site.group, unique('id-'));
    for (const order of [
      ['admin', 'ensure-identity', other.name, '--hsm', site.vault.name, '--key', site.key],
      ['admin', 'grant-role', '--assignee', other.principalId, '--hsm', site.vault.name],
    ]) {
      expect((await runCmk(procedures, order)).out).toContain('Managed HSM Crypto Service Encryption User assigned to');
    }

    expect(rolesOf(site, other.principalId)).toEqual([`/keys/${site.key}`, '/keys']);

    const both = await runCmk(procedures, ['key', 'show', site.key, '--vault', 'kv', '--hsm', 'h']);
    expect([both.code, both.err]).toEqual([2, expect.stringContaining('--vault or --hsm, not both')]);
  });
});
