import type { DeletedKey, Key, KeyVersion, Vault, World } from '../world.ts';
import { deletion, keyBundle, keyItem, recoverableDays } from './bundle.ts';
import { conflict, deletedKeyNotFound, forbidden, keyNotFound } from './errors.ts';
import { rotateKey } from './keys.ts';
import { forgetLifetime, watchLifetime } from './lifetime.ts';
import type { KeyVaultRequest, Operation } from './operation.ts';
import { page } from './paging.ts';

const readDeleted = 'Microsoft.KeyVault/managedHsm/keys/deletedKeys/read/action';

/** Delete, and the operations on a soft-deleted key. */
export const deletedKeyOperations: Operation[] = [
  { method: 'DELETE', route: '/keys/:name', permission: 'delete', cost: 'other', run: deleteKey },
  { method: 'GET', route: '/deletedkeys', permission: 'list', localAction: readDeleted, cost: 'other', run: list },
  { method: 'GET', route: '/deletedkeys/:name', permission: 'get', localAction: readDeleted, cost: 'other', run: get },
  { method: 'POST', route: '/deletedkeys/:name/recover', permission: 'recover', cost: 'other', run: recover },
  { method: 'DELETE', route: '/deletedkeys/:name', permission: 'purge', cost: 'other', run: purge },
];

const dayMs = 86_400_000;

function deleteKey(request: KeyVaultRequest): Record<string, unknown> {
  const { world, vault, params, apiVersion } = request;
  const name = (params.name ?? '').toLowerCase();
  const key = vault.keys.get(name);
  const newest = key?.versions.at(-1);
  if (!key || !newest) throw keyNotFound(params.name ?? '');

  vault.keys.delete(name);
  forgetLifetime(key);
  noticeFrom(world, key);

  const days = recoverableDays(vault);
  if (days === 0) return keyBundle(vault, key, newest, apiVersion);

  const purgeMs = world.clock.nowMs() + days * dayMs;
  const deleted: DeletedKey = {
    ...key,
    deletedDate: world.clock.nowSeconds(),
    scheduledPurgeDate: Math.floor(purgeMs / 1000),
    deletedFromMs: world.clock.nowMs() + world.settings.keyDeletionMs,
  };

  vault.deletedKeys.set(name, deleted);
  world.clock.schedule(purgeMs, () => {
    if (vault.deletedKeys.get(name) === deleted) vault.deletedKeys.delete(name);
  });

  return bundle(vault, deleted, newest, apiVersion);
}

function list({ world, vault, url, apiVersion }: KeyVaultRequest): Record<string, unknown> {
  const items = [...vault.deletedKeys]
    .filter(([, key]) => !isBeingDeleted(world, key))
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([, key]) => ({
      ...keyItem(vault, key, newestOf(key), apiVersion, false),
      ...deletion(vault, key),
    }));
  return page(items, url, apiVersion);
}

function get({ world, vault, params, apiVersion }: KeyVaultRequest): Record<string, unknown> {
  const key = requireDeleted(vault, params.name);
  if (isBeingDeleted(world, key)) throw deletedKeyNotFound(key.name);
  return bundle(vault, key, newestOf(key), apiVersion);
}

function recover({ world, vault, params, apiVersion }: KeyVaultRequest): Record<string, unknown> {
  const deleted = requireDeleted(vault, params.name);

  refuseWhileDeleted(world, deleted);

  const name = deleted.name.toLowerCase();
  if (vault.keys.has(name)) throw conflict(`A key with the name ${deleted.name} exists already.`);

  const { deletedDate: _date, scheduledPurgeDate: _purge, deletedFromMs: _from, ...key } = deleted;

  vault.deletedKeys.delete(name);
  vault.keys.set(name, key);
  noticeFrom(world, key);
  watchLifetime(world, vault, key, rotateKey);

  return keyBundle(vault, key, newestOf(key), apiVersion);
}

function purge({ world, vault, params }: KeyVaultRequest): undefined {
  const key = requireDeleted(vault, params.name);
  refuseWhileDeleted(world, key);
  if (vault.properties.enablePurgeProtection) {
    throw forbidden(
      `Operation "purge" is not allowed because purge protection is enabled for this vault. Key Vault service will automatically purge it after the retention period has passed.\r\nVault: ${vault.name};location=${vault.location}`,
      'ForbiddenByPolicy',
    );
  }
  vault.deletedKeys.delete(key.name.toLowerCase());
}

/**
 * A deletion or recovery of a key affects the file service as if its enabled versions had been disabled or enabled now.
 */
function noticeFrom(world: World, key: Key): void {
  for (const version of key.versions) {
    if (version.enabled) version.enabledChangedMs = world.clock.nowMs();
  }
}

/** A deletion takes time, in which the key is neither live nor deleted. */
function isBeingDeleted(world: World, { deletedFromMs = 0 }: DeletedKey): boolean {
  return world.clock.nowMs() < deletedFromMs;
}

function refuseWhileDeleted(world: World, key: DeletedKey): void {
  if (isBeingDeleted(world, key)) throw conflict(`Key ${key.name} is currently being deleted.`, 'ObjectIsBeingDeleted');
}

function requireDeleted(vault: Vault, name: string | undefined): DeletedKey {
  const key = vault.deletedKeys.get((name ?? '').toLowerCase());
  if (!key) throw deletedKeyNotFound(name ?? '');
  return key;
}

function newestOf(key: Key): KeyVersion {
  const newest = key.versions.at(-1);
  if (!newest) throw keyNotFound(key.name);
  return newest;
}

function bundle(vault: Vault, key: DeletedKey, version: KeyVersion, apiVersion: string): Record<string, unknown> {
  const shown = keyBundle(vault, key, version, apiVersion);
  // With every api-version (seen in recordings).
  const attributes = { ...(shown.attributes as object), exportable: false };
  return { ...deletion(vault, key), ...shown, attributes };
}
