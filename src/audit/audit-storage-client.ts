import type { TokenCredential } from '@azure/identity';
import type { ContainerClient } from '@azure/storage-blob';
import { appBlobs, ONE_RETRY } from '../azure/app-storage.ts';
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
  return appBlobs(settings, credential, ONE_RETRY).getContainerClient(name);
}
