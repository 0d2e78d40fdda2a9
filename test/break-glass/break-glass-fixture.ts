import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { CLIENT_IDS } from '../../local/azure/constants.ts';
import { addRoleAssignment } from '../../local/azure/fleet.ts';
import type { LocalAzure } from '../../local/azure/server.ts';
import type { Key, RoleDefinition } from '../../local/azure/world.ts';
import type { Caller } from '../../src/http/caller.ts';
import type { HttpProblem } from '../../src/http/problem.ts';
import { type ManagedKey, managedKey } from '../../src/keys/managed-vaults.ts';
import type { Services } from '../../src/services.ts';
import { TestKey } from '../support/fleet.ts';

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
  return managedKey(vault, key.name);
}

export function person(name: string): Caller {
  return {
    objectId: name,
    appId: randomUUID(),
    tenantId: randomUUID(),
    kind: 'user',
    roles: [],
    tokenId: undefined,
    name,
  };
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
