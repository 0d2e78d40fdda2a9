import { describe, expect, it } from 'vitest';
import { SUBSCRIPTION_ID } from '../../../local/azure/constants.ts';
import { addAccount, addIdentity, addRoleAssignment, allowStorage } from '../../../local/azure/fleet.ts';
import { BUILT_IN_ROLES } from '../../../local/azure/roles/built-in-roles.ts';
import type { Principal } from '../../../local/azure/world.ts';
import type { Operation } from '../../../src/cli/procedures/operator-azure.ts';
import { planKeyRoles, restoreKeyByRoles, revokeKeyByRoles } from '../../../src/cli/procedures/roles/key-roles.ts';
import { MemoryTrail } from '../../support/memory-trail.ts';
import { keyOf, type Site, texts, unique, useProcedures } from '../../support/procedures.ts';

const procedures = useProcedures();
const trail = new MemoryTrail(() => procedures.local.clock.now());

function admin({ group }: Site): Principal {
  const person = procedures.somebodyWith(group.id, 'Owner', 'Storage File Data Privileged Reader');
  const scope = `/subscriptions/${SUBSCRIPTION_ID}`;
  const { objectId: principalId } = person;
  addRoleAssignment(procedures.world, { scope, principalId, role: BUILT_IN_ROLES.Reader, settled: true });
  return person;
}

const revoking = (site: Site) => async (operation: Operation) => {
  const plan = await planKeyRoles(keyOf(site), {}, operation);
  return revokeKeyByRoles(
    plan,
    { reason: 'test', ticket: undefined, audit: trail.audit, trail: trail.files },
    operation,
  );
};
const restoring = (site: Site, revocation: string) => (operation: Operation) =>
  restoreKeyByRoles(
    keyOf(site),
    { reason: 'test', ticket: undefined, revocation, dualControl: true, audit: trail.audit, trail: trail.files },
    operation,
  );

/** The role assignments at the vault and its keys, but for ids, times, and the creator, which Azure sets. */
const rolesAt = ({ vault }: Site) =>
  [...procedures.world.roleAssignments.values()]
    .filter(({ scope }) => scope.toLowerCase().startsWith(vault.id.toLowerCase()))
    .map(({ id: _, createdMs: __, updatedMs: ___, createdBy: ____, ...one }) => JSON.stringify(one))
    .sort();

/** Ten accounts of five identities: every second has its role at the key alone. */
function fleet(site: Site): void {
  for (let n = 0; n < 5; n += 1) {
    const identity = addIdentity(procedures.world, site.group, unique('id-'));
    const { principalId } = identity;
    const scope = `${site.vault.id}/keys/${site.key}`;
    const role = BUILT_IN_ROLES['Key Vault Crypto Service Encryption User'];
    if (n % 2 === 0) allowStorage(procedures.world, site.vault, principalId);
    else addRoleAssignment(procedures.world, { scope, principalId, role, settled: true });

    for (let of = 0; of < 2; of += 1) {
      const key = { vault: site.vault, keyName: site.key, mode: 'automatic' } as const;
      addAccount(procedures.world, site.group, { name: unique('st'), shares: ['share1'], identity, key });
    }
  }
}

describe('key revoke and key restore by roles', () => {
  it('key revoke --path roles cuts ten accounts off in a failed-over vault, and a second person restores exactly that', async () => {
    const site = procedures.site({ role: false });
    fleet(site);
    const before = rolesAt(site);
    const first = admin(site);
    procedures.world.settings.failedOverVaults = [site.vault.name];

    const planned = await procedures.run(revoking(site), { as: first, dryRun: true });
    expect(texts(planned, 'planned')).toHaveLength(5);
    expect(rolesAt(site)).toEqual(before);

    const revoked = await procedures.run(revoking(site), { as: first });
    expect(revoked.result).toMatchObject({ complete: true, audit: 'written' });
    expect(texts(revoked, 'done')).toHaveLength(5);
    expect(texts(revoked, 'found').filter((text) => text.includes('refuses'))).toHaveLength(10);
    expect(rolesAt(site)).toEqual([]);

    const { revocation = '' } = revoked.result;
    expect((await procedures.refusal(restoring(site, revocation), { as: first })).reason).toBe('SecondPersonNeeded');

    const restored = await procedures.run(restoring(site, revocation), { as: admin(site) });
    expect(restored.result.complete).toBe(true);
    expect(rolesAt(site)).toEqual(before);

    const again = await procedures.run(restoring(site, revocation), { as: admin(site) });
    expect([again.changed, again.result.complete]).toEqual([false, true]);
  });

  it('A repeat of key revoke and key restore by roles finishes what Azure rejected, under one id', async () => {
    const site = procedures.site({ role: false });
    fleet(site);
    const before = rolesAt(site);
    const as = admin(site);
    const fail = (method: string, path: string, times: number) =>
      procedures.local.faults.add([{ match: { method, path }, answer: { status: 403 }, times }]);

    fail('DELETE', 'roleAssignments', 3);
    const first = await procedures.run(revoking(site), { as });
    expect(first.result.complete).toBe(false);
    procedures.local.faults.clear();

    const second = await procedures.run(revoking(site), { as });
    expect(second.result).toMatchObject({ complete: true, revocation: first.result.revocation });

    const { revocation = '' } = second.result;
    fail('PUT', 'roleAssignments', 3);
    const partly = await procedures.run(restoring(site, revocation), { as: admin(site) });
    expect(partly.result.complete).toBe(false);
    procedures.local.faults.clear();

    expect((await procedures.run(restoring(site, revocation), { as: admin(site) })).result.complete).toBe(true);
    expect(rolesAt(site)).toEqual(before);
  });

  it('key revoke by roles is never complete while a role above the vault stands, and prints who can remove it', async () => {
    const site = procedures.site();
    procedures.encrypted(site);
    const { principalId } = site.identity;
    const role = BUILT_IN_ROLES['Key Vault Crypto Service Encryption User'];
    const above = addRoleAssignment(procedures.world, { scope: site.group.id, principalId, role, settled: true });
    const as = admin(site);

    const revoked = await procedures.run(revoking(site), { as });
    expect(revoked.result.complete).toBe(false);
    expect(rolesAt(site)).toEqual([]);
    expect(texts(revoked, 'note').join('\n')).toContain(`az role assignment delete --ids ${above.id}`);

    const refused = await procedures.refusal(revoking(site), { as });
    expect(refused.reason).toBe('RolesNotRevocable');
  });

  it('key revoke by roles refuses a vault with access policies, and changes nothing', async () => {
    const site = procedures.site();
    procedures.encrypted(site);
    Object.assign(site.vault.properties, { enableRbacAuthorization: false, accessPolicies: [] });
    const refused = await procedures.refusal(revoking(site), { as: admin(site) });
    expect(refused).toMatchObject({ reason: 'RolesNotRevocable', message: expect.stringContaining('access policies') });
  });
});
