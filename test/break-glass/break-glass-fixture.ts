import { generateKeyPairSync, hash, randomUUID } from 'node:crypto';
import { CLIENT_IDS } from '../../local/azure/constants.ts';
import { addRoleAssignment } from '../../local/azure/fleet.ts';
import type { LocalAzure } from '../../local/azure/server.ts';
import type { Key, RoleDefinition } from '../../local/azure/world.ts';
import { handleRestore, type RestoreResponse } from '../../src/api/restore.ts';
import { handleRevoke, type RevokeResponse } from '../../src/api/revoke.ts';
import type { HttpProblem } from '../../src/http/problem.ts';
import type { Caller } from '../../src/http/token-claims.ts';
import { createManagedKey, type ManagedKey } from '../../src/keys/managed-vaults.ts';
import { REVOCATION_TAG } from '../../src/revocation/revocation.ts';
import type { Services } from '../../src/services.ts';
import { TestKey } from '../support/fleet.ts';
import { callKey } from '../support/key-calls.ts';
import type { Wire } from '../support/wire.ts';

const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });

/** A key of `count` versions (made in one after another second), the same material in each. */
export function keyOf(azure: LocalAzure, count: number): TestKey {
  const key = new TestKey(azure.world, 'kv-files', { privateKey });
  for (let n = 2; n <= count; n += 1) key.add({ privateKey });
  return key;
}

export function addVersion(key: TestKey): Key['versions'][number] {
  return key.add({ privateKey });
}

export function versionsOf(key: TestKey): Key['versions'] {
  const found = key.vault.keys.get(key.name) ?? key.vault.deletedKeys.get(key.name);
  return found?.versions ?? [];
}

/** Whether each version is enabled, oldest first. */
export function enabledOf(key: TestKey): boolean[] {
  return versionsOf(key).map(({ enabled }) => enabled);
}

export function managed(key: TestKey, { settings }: Services): ManagedKey {
  const vault = settings.vaults.byName(key.vault.name);
  if (!vault) throw new Error(`${key.vault.name} is not managed.`);
  return createManagedKey(vault, key.name);
}

export function person(name: string): Caller {
  return {
    objectId: objectId(name),
    appId: randomUUID(),
    tenantId: randomUUID(),
    kind: 'person',
    roles: [],
    scopes: ['access_as_user'],
    authContexts: [],
    tokenId: undefined,
    name,
  };
}

/** The object id of a person of that name, always the same. */
export function objectId(name: string): string {
  const [a, b, c, d, e] = /^(.{8})(.{4})(.{4})(.{4})(.{12})/.exec(hash('sha256', name, 'hex'))?.slice(1) ?? [];
  return [a, b, c, d, e].join('-');
}

/** The words of each version's record, oldest version first. */
export function recordsOf(key: TestKey): (string[] | undefined)[] {
  return versionsOf(key).map(({ tags }) => tags?.[REVOCATION_TAG]?.split(' '));
}

/** The revocation that the key's newest record names, as a person reads it off the status. */
export function revocationOn(key: TestKey): string {
  const records = recordsOf(key).flatMap((record) => (record ? [record] : []));
  return records.sort((a, b) => ((a[1] ?? '') < (b[1] ?? '') ? 1 : -1))[0]?.[0] ?? 'none';
}

/** Revokes and restores as the API does, by people of these names. */
export function breakGlass(wire: Wire) {
  const log = wire.log;

  return {
    revoke: (key: TestKey, services: Services, who = 'alice'): Promise<RevokeResponse> => {
      const body = { reason: 'A laptop was stolen', confirm: `${key.vault.name}/${key.name}` };
      const call = { services, log, caller: person(who), body, correlationId: `revoke-${key.name}` };
      return callKey(handleRevoke, managed(key, services), call);
    },
    restore: (
      key: TestKey,
      services: Services,
      who = 'bob',
      revocation: string = revocationOn(key),
    ): Promise<RestoreResponse> => {
      const body = { reason: 'The laptop is back', revocation };
      const call = { services, log, caller: person(who), body, correlationId: `restore-${key.name}` };
      return callKey(handleRestore, managed(key, services), call);
    },
  };
}

/** Deletes the key; its vault keeps it for recovery. */
export function softDelete(key: TestKey): void {
  const found = key.vault.keys.get(key.name);
  if (!found) throw new Error('The key is gone already.');
  key.vault.keys.delete(key.name);
  key.vault.deletedKeys.set(key.name, { ...found, deletedDate: 1, scheduledPurgeDate: 2 ** 31 });
}

/** What a deployment gives the app and the sample fleet does not. */
export function allowRecovery({ world }: LocalAzure): void {
  const principalId = world.principals.get(CLIENT_IDS.appUserAssigned)?.objectId ?? '';
  const scope = world.vaults.get('kv-files')?.id ?? '';

  const role: RoleDefinition = {
    id: `/providers/Microsoft.Authorization/roleDefinitions/${randomUUID()}`,
    roleName: 'Recover keys',
    type: 'CustomRole',
    actions: [],
    notActions: [],
    dataActions: ['Microsoft.KeyVault/vaults/keys/recover/action'],
    notDataActions: [],
    assignableScopes: ['/'],
  };

  world.roleDefinitions.set(role.id.toLowerCase(), role);
  addRoleAssignment(world, { scope, principalId, role, settled: true });
}

/** The refusal that a call ends in. */
export async function refusalOf(call: Promise<unknown>): Promise<HttpProblem> {
  try {
    await call;
  } catch (error) {
    if ((error as Error).name === 'HttpProblem') return error as HttpProblem;
    throw error;
  }
  throw new Error('The call was not refused.');
}
