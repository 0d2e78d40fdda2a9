import { describe, expect, it } from 'vitest';
import { addIdentity, addVault } from '../../../local/azure/fleet.ts';
import {
  ensureIdentity,
  ensureIdentityRole,
  ensureOfficer,
} from '../../../src/cli/procedures/identity/identity-ensure.ts';
import { findVault } from '../../../src/cli/procedures/resolve.ts';
import { keyOf, type Procedures, type Site, texts, unique, useProcedures } from '../../support/procedures.ts';

const procedures: Procedures = useProcedures();

function ensure(site: Pick<Site, 'vault' | 'group'>, name: string, key?: string) {
  return async (operation: Parameters<typeof ensureIdentity>[1]) => {
    const vault = await findVault(site.vault.name, operation.azure);
    const wanted = { name, resourceGroup: site.group.name, location: 'westeurope' };
    const identity = await ensureIdentity(wanted, operation);
    await ensureIdentityRole(identity, vault, key, operation);
    return identity;
  };
}

describe('identity ensure', () => {
  it('identity ensure creates an identity with its role on the vault, and changes nothing the second time', async () => {
    const site = procedures.site();
    const name = unique('id-');

    const first = await procedures.run(ensure(site, name));
    const second = await procedures.run(ensure(site, name));

    expect(texts(first, 'done')).toEqual([
      `identity ${name} created in ${site.group.name} (westeurope)`,
      `Key Vault Crypto Service Encryption User assigned to ${name} on vault ${site.vault.name}`,
    ]);

    const assigned = [...procedures.world.roleAssignments.values()].filter(
      ({ principalId }) => principalId === first.result.principalId,
    );
    expect(assigned).toMatchObject([
      {
        scope: site.vault.id,
        principalType: 'ServicePrincipal',
        roleDefinitionId: expect.stringMatching(/e147488a-f6f5-4113-8e2d-b22465e65bf6$/),
      },
    ]);

    expect(second.changed).toBe(false);
    expect(second.result).toEqual(first.result);
  });

  it('identity ensure adds an access policy where the vault has access policies instead of roles, once', async () => {
    const group = procedures.group();
    const vault = addVault(procedures.world, group, unique('kv-'), { enableRbacAuthorization: false });
    const identity = addIdentity(procedures.world, group, unique('id-'));

    const first = await procedures.run(ensure({ vault, group }, identity.name));
    const second = await procedures.run(ensure({ vault, group }, identity.name));

    expect(texts(first, 'done')).toEqual([`access policy of ${vault.name} lets ${identity.name} get, wrap and unwrap`]);
    expect(vault.properties.accessPolicies).toMatchObject([
      { objectId: identity.principalId, permissions: { keys: ['get', 'wrapKey', 'unwrapKey'] } },
    ]);
    expect(second.changed).toBe(false);
  });

  it('identity ensure prints who may grant the role, and how, when the sign-in may not', async () => {
    const site = procedures.site({ role: false });
    const contributor = procedures.somebodyWith(site.group.id, 'Contributor');
    const refusal = await procedures.refusal(ensure(site, site.identity.name), { as: contributor });
    expect(refusal.reason).toBe('MissingPermission');
    expect(refusal.nextStep).toContain('az role assignment create --assignee-object-id');
  });
});

describe('the role of the operator', () => {
  it('The role of the operator is granted when it is missing, and the wait until it takes effect is shown', async () => {
    procedures.world.settings.rolePropagationMs = 90_000;

    const site = procedures.site();
    const admin = procedures.somebodyWith(site.group.id, 'Owner');

    const officer = async (operation: Parameters<typeof ensureOfficer>[3]) =>
      ensureOfficer(await findVault(site.vault.name, operation.azure), keyOf(site), 600, operation);
    const first = await procedures.run(officer, { as: admin });
    const second = await procedures.run(officer, { as: admin });

    expect(texts(first, 'done')).toEqual([expect.stringContaining(`Key Vault Crypto Officer assigned to`)]);

    const waits = first.shown.filter(({ kind, text }) => kind === 'waiting' && text.startsWith('for '));
    expect(waits.length).toBeGreaterThan(3);
    expect(waits.at(-1)?.text).toMatch(/for the role of .* to reach kv-.*: \d+ of at most 600 s/);
    expect(second.changed).toBe(false);
  });
});
