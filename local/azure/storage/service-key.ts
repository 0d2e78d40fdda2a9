import { FileServiceError, keyRefusal } from '../file-service/errors.ts';
import { keyTrouble } from '../file-service/key-access.ts';
import { isAllowed } from '../roles.ts';
import type { Caller } from '../service.ts';
import type { StorageAccount, World } from '../world.ts';

/**
 * Refuses access to a queue or table if its service uses the account's key and that key cannot be used. A service with
 * a key of its own (`keyType` `Service`, the default of every account) still works. The codes are inferred from the
 * other services, since no page documents those of these two.
 */
export function requireServiceKey(world: World, account: StorageAccount, service: 'queue' | 'table'): void {
  if (account.encryption.services[service]?.keyType !== 'Account') return;
  const trouble = keyTrouble(world, account);
  if (trouble) throw keyRefusal(trouble);
}

/** Refuses a caller without a token for Storage, or without a role on the account. */
export function requireRight(
  world: World,
  account: StorageAccount,
  caller: Caller | undefined,
  action: string,
  kind: 'action' | 'dataAction' = 'dataAction',
): void {
  if (!caller || !/^https:\/\/storage\.azure\.com\/?$/.test(caller.audience)) {
    throw new FileServiceError(401, 'InvalidAuthenticationInfo', 'Server failed to authenticate the request.');
  }
  if (!world.settings.enforceRoles) return;

  const full = `Microsoft.Storage/storageAccounts/${action}`;
  if (isAllowed(world, caller.principal.objectId, account.id, full, kind)) return;

  throw new FileServiceError(
    403,
    'AuthorizationPermissionMismatch',
    'This request is not authorized to perform this operation using this permission.',
  );
}
