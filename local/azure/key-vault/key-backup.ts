import { randomBytes } from 'node:crypto';
import type { Key, Vault, World } from '../world.ts';
import { keyBundle } from './bundle.ts';
import { badParameter, conflict, keyNotFound } from './errors.ts';
import { refuseDeletedName, rotateKey } from './keys.ts';
import { watchLifetime } from './lifetime.ts';
import { type KeyVaultRequest, type Operation, requireBody } from './operation.ts';

interface Backup {
  readonly key: Key;
  readonly subscription: string;
  /** Backups of a Managed HSM and of vaults are not interchangeable. */
  readonly ofHsm: boolean;
}

/** The content behind each blob. Only the service reads blobs, so a blob here is just a name. */
const backups = new WeakMap<World, Map<string, Backup>>();

/** Backup and restore of a key with all its versions. */
export const keyBackupOperations: Operation[] = [
  { method: 'POST', route: '/keys/:name/backup', permission: 'backup', cost: 'other', run: backUp },
  { method: 'POST', route: '/keys/restore', permission: 'restore', cost: 'other', run: restore },
];

function backUp({ world, vault, params }: KeyVaultRequest): Record<string, unknown> {
  const key = vault.keys.get((params.name ?? '').toLowerCase());
  if (!key) throw keyNotFound(params.name ?? '');
  const value = randomBytes(96).toString('base64url');
  const held = backups.get(world) ?? new Map<string, Backup>();
  backups.set(
    world,
    held.set(value, { key: copy(key), subscription: subscriptionOf(vault), ofHsm: vault.local !== undefined }),
  );
  return { value };
}

/**
 * The key keeps its name, versions and attributes. The vault has to be in the same subscription (Key Vault, "Backup").
 */
function restore(request: KeyVaultRequest): Record<string, unknown> {
  const { world, vault, apiVersion } = request;
  const backup = backups.get(world)?.get(String(requireBody(request).value));
  const newest = backup?.key.versions.at(-1);
  const fits = backup?.subscription === subscriptionOf(vault) && backup.ofHsm === (vault.local !== undefined);
  if (!backup || !newest || !fits) {
    throw badParameter('The backup blob cannot be restored in this vault.');
  }

  refuseDeletedName(vault, backup.key.name);

  const name = backup.key.name.toLowerCase();
  if (vault.keys.has(name)) throw conflict(`A key with the name ${backup.key.name} exists already.`);

  const key = copy(backup.key);

  vault.keys.set(name, key);
  watchLifetime(world, vault, key, rotateKey);

  return keyBundle(vault, key, key.versions.at(-1) ?? newest, apiVersion);
}

function copy(key: Key): Key {
  return { ...key, versions: key.versions.map((version) => ({ ...version, keyOps: [...version.keyOps] })) };
}

function subscriptionOf({ id }: Vault): string {
  return (id.split('/')[2] ?? '').toLowerCase();
}
