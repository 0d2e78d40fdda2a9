import { describe, expect, it } from 'vitest';
import { SUBSCRIPTION_ID } from '../../local/azure/constants.ts';
import { addAccount, addIdentity, addRoleAssignment, type FleetAccount } from '../../local/azure/fleet.ts';
import { assignLocalRole, LOCAL_ROLES } from '../../local/azure/key-vault/local-access.ts';
import { BUILT_IN_ROLES } from '../../local/azure/roles/built-in-roles.ts';
import type { StorageAccount } from '../../local/azure/world.ts';
import { parseResourceId, type ResourceId } from '../../src/azure/resource-id.ts';
import { identityPart } from '../../src/identities/identity-part.ts';
import { othersWithIdentity } from '../../src/identities/identity-sharing.ts';
import type { Taken, TakenRole } from '../../src/revocation/account-record.ts';
import type { Services } from '../../src/services.ts';
import { group, TestKey, vaultNamed } from '../support/fleet.ts';
import { useWire } from '../support/wire.ts';

const wire = useWire();
const USER = 'Key Vault Crypto Service Encryption User';
let names = 0;

/** An account whose identity is its own, and has its role on the key alone. */
async function site(more: Partial<Services> = {}) {
  const { world } = wire.azure;
  const key = new TestKey(world);
  names += 1;
  const identity = addIdentity(world, group(world), `id-part-${names}`);
  const roles = () => [...world.roleAssignments.values()].filter((one) => one.principalId === identity.principalId);
  const assign = (
    scope: string,
    role: keyof typeof BUILT_IN_ROLES = USER,
    principalId = identity.principalId,
  ): TakenRole => {
    const { id } = addRoleAssignment(world, { scope, principalId, role: BUILT_IN_ROLES[role], settled: true });
    return { kind: 'role', name: id.slice(id.lastIndexOf('/') + 1), scope, principalId };
  };
  const services = { ...wire.services(), ...more };
  const managed = services.settings.vaults.key(key.id());
  if (!managed) throw new Error('The vault is not managed.');
  const scope = `${key.vault.id}/keys/${key.name}`;
  const role = assign(scope);
  const account = key.account('pinned', { identity });
  const read = await services.accounts.get(parseResourceId(account.id) as ResourceId);
  const others = (inReach: () => Promise<readonly string[]>) =>
    othersWithIdentity(read, managed, inReach, services.accounts);
  return { account, key, scope, role, roles, assign, others, part: identityPart(read, managed, services) };
}

describe('what an identity reaches its key by', () => {
  it('is its role, which goes, and comes back under the same name', async () => {
    const { part, role, roles } = await site();
    expect(await part.held()).toMatchObject([role]);
    await part.take(role);
    expect([roles(), await part.held(), await part.isHeld(role)]).toEqual([[], [], false]);
    await part.give(role);
    expect(await part.held()).toMatchObject([role]);
  });

  it('is that role alone beside others that let it use no keys, and whoever cannot read when it ends takes it all the same', async () => {
    const { part, role, scope, assign } = await site();
    assign(scope, 'Reader');
    wire.azure.faults.add([{ match: { path: 'roleAssignmentScheduleInstances' }, answer: { status: 403 } }]);
    expect(await part.held()).toMatchObject([role]);
  });

  it.each<[string, (account: StorageAccount, key: TestKey) => void]>([
    ['another key of the vault', ({ encryption }, { name }) => rename(encryption.keyvaultproperties, `${name}-2`)],
    [
      'another identity',
      (account) => {
        const { world } = wire.azure;
        names += 1;
        const { id, principalId, clientId } = addIdentity(world, group(world), `id-part-${names}`);
        const chosen = { userAssignedIdentity: id };
        Object.assign(account.encryption, { identity: chosen });
        Object.assign(account.identity ?? {}, { userAssignedIdentities: { [id]: { principalId, clientId } } });
      },
    ],
  ])('is not told of an account that was put onto %s meanwhile', async (_, change) => {
    const { part, account, key } = await site();
    change(account, key);
    await expect(part.held()).rejects.toMatchObject({
      reason: 'AccountNotRevocable',
      message: expect.stringMatching(/in the middle of it/),
    });
  });

  it('is not taken from all others of a group', async () => {
    const real = wire.services();
    const ofGroup = 'd00d0000-0000-4000-8000-00000000000b';
    const as = <T extends { readonly principalId: string }>(all: readonly T[]) =>
      all.map((one) => ({ ...one, principalId: ofGroup }));
    // Azure lists what counts by groups too; the local one has no groups.
    const { part, role, scope, assign } = await site({
      keyRoles: { ...real.keyRoles, assignedTo: async (...of) => as(await real.keyRoles.assignedTo(...of)) },
    });
    await expect(part.held()).rejects.toMatchObject({
      reason: 'AccountNotRevocable',
      message: expect.stringMatching(/member of the group/),
    });
    await part.take(role);
    // Nor does what is given to a group count as given back: it may leave the group.
    assign(scope);
    expect(await part.isHeld(role)).toBe(false);
  });
});

describe('a record that names what is not as it says', () => {
  it('has nothing given on another vault, whosever it is', async () => {
    const { part, role } = await site();
    const scope = vaultNamed(wire.azure.world, 'kv-records').id;
    await expect(part.give({ ...role, scope })).rejects.toMatchObject({ reason: 'Refused' });
    await expect(part.give({ kind: 'scope', name: 'scope1' } as Taken)).rejects.toMatchObject({ reason: 'Refused' });
  });

  it('does not take another role of the same identity, and does not count it as given', async () => {
    const { part, role, scope, roles, assign } = await site();
    await part.take(role);
    const reader = assign(scope, 'Key Vault Reader');
    expect(await part.isHeld(reader)).toBe(false);
    await part.take(reader);
    expect(roles()).toHaveLength(1);
  });
});

it('a local role of the same name at another place is neither taken for the one that was taken away nor taken', async () => {
  const { world } = wire.azure;
  const key = new TestKey(world, 'hsm-local');
  const account = key.account('pinned', { identity: undefined as never });
  const services = wire.services();
  const managed = services.settings.vaults.key(key.id());
  const local = world.managedHsms.get('hsm-local')?.local;
  if (!managed || !local) throw new Error('There is no such Managed HSM.');
  const part = identityPart(await services.accounts.get(parseResourceId(account.id) as ResourceId), managed, services);
  const [taken] = await part.held();
  if (taken?.kind !== 'localRole') throw new Error('It has no local role.');
  await part.take(taken);
  const { name, principalId } = taken;
  const given = assignLocalRole(local, { name, principalId, role: LOCAL_ROLES.encryptionUser, scope: '/keys/other' });
  expect([await part.isHeld(taken), await part.standing(taken)]).toEqual([false, undefined]);
  await part.take(taken);
  await expect(part.give(taken)).rejects.toMatchObject({ code: 'Conflict' });
  expect(local.roleAssignments.get(name)).toEqual(given);
});

describe('a role that is there again by hand', () => {
  it('counts as given under whatever name, at the same place', async () => {
    const { part, role, scope, roles, assign } = await site();
    await part.take(role);
    assign(scope);
    expect(await part.isHeld(role)).toBe(true);
    await part.give(role);
    expect(roles()).toHaveLength(1);
  });

  it('does not count above it: what was taken is still to be given', async () => {
    const { part, role, key, assign } = await site();
    await part.take(role);
    assign(key.vault.id);
    expect(await part.isHeld(role)).toBe(false);
  });
});

it('whether others have the identity is not known of what cannot be read', async () => {
  const { others } = await site();
  expect(await others(async () => [SUBSCRIPTION_ID])).toEqual([]);
  await expect(others(() => Promise.reject(new Error('down')))).rejects.toMatchObject({
    reason: 'SubscriptionUnreadable',
  });
  wire.azure.faults.add([{ match: { path: '/providers/Microsoft.Storage/storageAccounts' }, answer: { status: 403 } }]);
  await expect(others(async () => [SUBSCRIPTION_ID])).rejects.toMatchObject({ reason: 'SubscriptionUnreadable' });
});

it('others under keys of Microsoft have it by their encryption scopes, and not by having had a key of their own once', async () => {
  const { account, key, others } = await site();
  const { world } = wire.azure;
  const identity = world.identities.get(account.encryption.identity?.userAssignedIdentity?.toLowerCase() ?? '');
  if (!identity) throw new Error('The account has no identity.');
  const left = (scopes: FleetAccount['scopes']) => {
    const other = addAccount(world, group(world), {
      name: `${account.name.slice(0, 20)}${++names}`,
      identity,
      scopes,
    });
    // Azure CLI leaves it there when it puts an account back onto keys of Microsoft.
    Object.assign(other.encryption, { identity: { userAssignedIdentity: identity.id } });
    return other.id;
  };
  left([{ name: 'of-microsoft' }]);
  const scoped = left([{ name: 'scope1', key: key.use() }]);
  expect(await others(async () => [SUBSCRIPTION_ID])).toEqual([scoped]);
});

function rename(properties: { keyname?: string } | undefined, keyname: string): void {
  Object.assign(properties ?? {}, { keyname });
}
