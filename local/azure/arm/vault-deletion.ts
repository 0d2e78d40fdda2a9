import { forgetLifetime } from '../key-vault/lifetime.ts';
import { scopeCovers } from '../roles.ts';
import type { Vault, World } from '../world.ts';
import { type ArmRequest, type ArmRoutes, nameAt, ok } from './arm-request.ts';
import { ArmError } from './errors.ts';
import { inScope } from './in-scope.ts';

interface Deletion {
  readonly deletedMs: number;
  readonly purgeMs: number;
  readonly cancelPurge: () => void;
}

const deletions = new WeakMap<Vault, Deletion>();

/**
 * Soft-deletes a vault. Its event subscriptions and role assignments are deleted for good: a recovery does not restore
 * them (Key Vault, "soft-delete overview").
 */
export function softDeleteVault(world: World, vault: Vault): void {
  const name = vault.name.toLowerCase();

  world.vaults.delete(name);
  world.deletedVaults.set(name, vault);

  for (const [id, { topic }] of world.eventSubscriptions) {
    if (topic.toLowerCase() === vault.id.toLowerCase()) world.eventSubscriptions.delete(id);
  }

  for (const [id, { source }] of world.systemTopics) {
    if (source.toLowerCase() === vault.id.toLowerCase()) world.systemTopics.delete(id);
  }

  for (const [id, { scope }] of world.roleAssignments) {
    if (scopeCovers(vault.id, scope)) world.roleAssignments.delete(id);
  }

  const deletedMs = world.clock.nowMs();
  const purgeMs = deletedMs + (vault.properties.softDeleteRetentionInDays ?? 90) * 86_400_000;

  deletions.set(vault, { deletedMs, purgeMs, cancelPurge: world.clock.schedule(purgeMs, () => purge(world, vault)) });
}

/** Recovers a soft-deleted vault with its keys. */
export function recoverVault(world: World, name: string): Vault {
  const vault = world.deletedVaults.get(name.toLowerCase());
  if (!vault) throw new Error(`'${name}' is not deleted.`);
  deletions.get(vault)?.cancelPurge();
  world.deletedVaults.delete(name.toLowerCase());
  world.vaults.set(name.toLowerCase(), vault);
  return vault;
}

function purge(world: World, vault: Vault): void {
  deletions.get(vault)?.cancelPurge();
  for (const key of vault.keys.values()) forgetLifetime(key);
  world.deletedVaults.delete(vault.name.toLowerCase());
}

function deletedBody(request: ArmRequest, vault: Vault): Record<string, unknown> {
  const deletion = deletions.get(vault);
  const time = (ms: number | undefined) => (ms === undefined ? undefined : new Date(ms).toISOString());

  return {
    id: `/subscriptions/${request.path.subscriptionId}/providers/Microsoft.KeyVault/locations/${vault.location}/deletedVaults/${vault.name}`,
    name: vault.name,
    type: 'Microsoft.KeyVault/deletedVaults',
    properties: {
      vaultId: vault.id,
      location: vault.location,
      tags: vault.tags,
      deletionDate: time(deletion?.deletedMs),
      scheduledPurgeDate: time(deletion?.purgeMs),
      ...(vault.properties.enablePurgeProtection ? { purgeProtectionEnabled: true } : {}),
    },
  };
}

function requireDeleted(request: ArmRequest): Vault {
  const name = nameAt(request, 1);
  const vault = request.world.deletedVaults.get(name.toLowerCase());
  if (vault && inScope(vault.id, `/subscriptions/${request.path.subscriptionId}`)) return vault;
  throw new ArmError(404, 'DeletedVaultNotFound', `The specified deleted vault '${name}' does not exist.`);
}

/** Soft-deleted vaults. */
export const deletedVaultRoutes: ArmRoutes = {
  'GET microsoft.keyvault/deletedvaults': (request) =>
    ok({
      value: [...request.world.deletedVaults.values()]
        .filter(({ id }) => inScope(id, request.path.scope))
        .map((vault) => deletedBody(request, vault)),
    }),
  'GET microsoft.keyvault/locations/{}/deletedvaults/{}': (request) =>
    ok(deletedBody(request, requireDeleted(request))),
  'POST microsoft.keyvault/locations/{}/deletedvaults/{}/purge': (request) => {
    const vault = requireDeleted(request);
    if (vault.properties.enablePurgeProtection) {
      throw new ArmError(405, 'MethodNotAllowed', "Operation 'DeletedVaultPurge' is not allowed.");
    }

    purge(request.world, vault);

    const time = () => `${request.world.clock.now().toISOString().slice(0, 19).replace('T', ' ')}Z`;
    const createdDateTime = time();
    const operation = request.operations.start(0, () => ({
      createdDateTime,
      lastActionDateTime: time(),
      status: 'Succeeded',
    }));

    const location = `https://management.azure.com/subscriptions/${request.path.subscriptionId}/providers/Microsoft.KeyVault/locations/${vault.location}/operationResults/${operation}?api-version=${request.apiVersion}`;

    return new Response(null, { status: 202, headers: { location, 'retry-after': '1' } });
  },
  'GET microsoft.keyvault/locations/{}/operationresults/{}': (request) => {
    const operation = request.operations.poll(nameAt(request, 1));
    if (!operation) throw new ArmError(404, 'ResourceNotFound', 'The operation was not found.');
    return operation.done ? ok(operation.result) : new Response(null, { status: 202, headers: { 'retry-after': '1' } });
  },
};
