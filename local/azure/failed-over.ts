import { ArmError } from './arm/errors.ts';
import { forbidden } from './key-vault/errors.ts';
import type { Operation } from './key-vault/operation.ts';
import type { KeyPermission } from './key-vault/permissions.ts';
import type { Vault, World } from './world.ts';

/**
 * What a vault answers while its region is failed over (Key Vault, "availability and redundancy"): all that is
 * documented, and nothing else. Deleted keys and rotation policies are not in that list.
 */
const ANSWERED: ReadonlySet<KeyPermission> = new Set<KeyPermission>([
  'list',
  'get',
  'encrypt',
  'decrypt',
  'wrapKey',
  'unwrapKey',
  'verify',
  'sign',
  'backup',
]);

/** A Managed HSM has another model of recovery: it never becomes read-only. */
function isFailedOver({ settings }: World, { name, local }: Vault): boolean {
  return !local && settings.failedOverVaults.some((one) => one.toLowerCase() === name.toLowerCase());
}

/**
 * Throws the refusal of a data plane request. Its status and code are not documented: NOT FOUND, so no client may rely
 * on them.
 */
export function requireAnsweredByFailedOver(world: World, vault: Vault, { permission, route }: Operation): void {
  if (!isFailedOver(world, vault)) return;
  if (ANSWERED.has(permission) && !route.startsWith('/deletedkeys')) return;
  throw forbidden(`Operation ${permission} is not allowed: the vault is read-only during a failover.`, 'ReadOnly');
}

/** Throws the refusal of a change of the vault itself, its policies and its firewall; code and status: NOT FOUND. */
export function requireWritableVault(world: World, vault: Vault): void {
  if (!isFailedOver(world, vault)) return;
  throw new ArmError(403, 'Forbidden', `The vault '${vault.name}' is read-only during a failover.`);
}
