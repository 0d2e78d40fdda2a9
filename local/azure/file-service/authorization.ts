import { isAllowed } from '../roles.ts';
import type { Caller } from '../service.ts';
import type { StorageAccount, World } from '../world.ts';
import { FileServiceError } from './errors.ts';

/** What an operation needs permission for. */
export type FileAccess = 'read' | 'write';

const dataActions = {
  read: [
    'Microsoft.Storage/storageAccounts/fileServices/fileshares/files/read',
    'Microsoft.Storage/storageAccounts/fileServices/readFileBackupSemantics/action',
  ],
  write: [
    'Microsoft.Storage/storageAccounts/fileServices/fileshares/files/write',
    'Microsoft.Storage/storageAccounts/fileServices/writeFileBackupSemantics/action',
  ],
} as const;

/**
 * Refuses a caller without a token for this account, or without the header for backup that OAuth over REST requires.
 */
export function requireFileCaller(
  world: World,
  account: StorageAccount,
  caller: Caller | undefined,
  headers: { authorization: string | undefined; intent: string | undefined },
): Caller {
  const challenge = {
    'www-authenticate': `Bearer authorization_uri=https://login.microsoftonline.com/${world.tenantId}/oauth2/authorize resource_id=https://storage.azure.com`,
  };

  if (!headers.authorization) {
    const message =
      'Server failed to authenticate the request. Please refer to the information in the www-authenticate header.';
    throw new FileServiceError(401, 'NoAuthenticationInformation', message, challenge);
  }

  const audience = caller?.audience.replace(/\/$/, '');
  if (!caller || (audience !== 'https://storage.azure.com' && audience !== host(account))) {
    const message =
      'Server failed to authenticate the request. Make sure the value of Authorization header is formed correctly including the signature.';
    throw new FileServiceError(401, 'InvalidAuthenticationInfo', message, challenge);
  }

  if (headers.intent?.toLowerCase() !== 'backup') {
    const message = 'An HTTP header that is mandatory for this request is not specified: x-ms-file-request-intent.';
    throw new FileServiceError(400, 'MissingRequiredHeader', message);
  }

  return caller;
}

/** Refuses a caller without a file data role on the share, or on the account if the operation is about all shares. */
export function requireFileRole(
  world: World,
  account: StorageAccount,
  { principal }: Caller,
  share: string | undefined,
  access: FileAccess,
): void {
  if (!world.settings.enforceRoles) return;

  const scope = share ? `${account.id}/fileServices/default/fileshares/${share}` : account.id;
  const allowed = dataActions[access].every((action) =>
    isAllowed(world, principal.objectId, scope, action, 'dataAction'),
  );
  if (allowed) return;

  throw new FileServiceError(
    403,
    'AuthorizationPermissionMismatch',
    'This request is not authorized to perform this operation using this permission.',
  );
}

function host(account: StorageAccount): string {
  return `https://${account.name}.file.core.windows.net`;
}
