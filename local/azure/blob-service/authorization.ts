import { FileServiceError } from '../file-service/errors.ts';
import { grantingAssignments } from '../roles.ts';
import type { Caller } from '../service.ts';
import type { StorageAccount, World } from '../world.ts';

const BLOBS = 'Microsoft.Storage/storageAccounts/blobServices/containers/blobs';

/** A data action on blobs. Listing is part of reading, but conditions distinguish them. */
export type BlobAccess = 'read' | 'write' | 'list';

/** Refuses a caller without a data role on the container, or whose role has a condition that excludes this access. */
export function requireBlobRole(
  world: World,
  account: StorageAccount,
  caller: Caller | undefined,
  container: string,
  access: BlobAccess,
): void {
  if (!caller || !/^https:\/\/storage\.azure\.com\/?$/.test(caller.audience)) {
    throw new FileServiceError(401, 'InvalidAuthenticationInfo', 'Server failed to authenticate the request.');
  }
  if (!world.settings.enforceRoles) return;

  const scope = `${account.id}/blobServices/default/containers/${container}`;
  const action = `${BLOBS}/${access === 'write' ? 'write' : 'read'}`;
  const { objectId } = caller.principal;

  for (const { condition } of grantingAssignments(world, objectId, scope, action, 'dataAction')) {
    if (!condition || holds(condition, access)) return;
  }

  throw new FileServiceError(
    403,
    'AuthorizationPermissionMismatch',
    'This request is not authorized to perform this operation using this permission.',
  );
}

/**
 * Evaluates the one condition on reading without listing (Azure RBAC, "Troubleshoot conditions": the action "Read a
 * blob"): `(!(ActionMatches{'…/blobs/read'} AND NOT SubOperationMatches{'Blob.List'})) OR …`. The part after `OR`
 * counts as false.
 */
function holds(condition: string, access: BlobAccess): boolean {
  const text = condition.replaceAll(/\s+/g, ' ');
  const isOfReading = /!\(ActionMatches\{'[^']*\/blobs\/read'\} AND NOT SubOperationMatches\{'Blob\.List'\}\)/i.test(
    text,
  );
  return isOfReading && access !== 'read';
}
