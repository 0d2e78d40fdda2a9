import type { TokenCredential } from '@azure/identity';
import type { ContainerClient } from '@azure/storage-blob';
import { auditTrailContainer, controlContainer, ONE_RETRY } from '../azure/app-storage.ts';
import type { Settings } from '../settings/settings.ts';
import { AUDIT_CONTAINER } from './container-name.ts';

/** Where the trail is kept. */
export type AuditContainer = ContainerClient;

/** Opens the container in the app's own storage; nothing is asked of it yet. */
export function auditContainer(
  settings: Pick<Settings, 'storage'>,
  credential: () => TokenCredential,
  name: string = AUDIT_CONTAINER,
): AuditContainer {
  return name === AUDIT_CONTAINER
    ? auditTrailContainer(settings, credential, name)
    : controlContainer(settings, credential, name, ONE_RETRY);
}
