import { resourceGraphRoutes } from '../resource-graph/routes.ts';
import type { ArmRoutes } from './arm-request.ts';
import { encryptionScopeRoutes } from './encryption-scopes.ts';
import { fileShareRoutes } from './file-shares.ts';
import { storageAccountRoutes } from './storage-accounts.ts';
import { subscriptionRoutes } from './subscriptions.ts';

/** Every resource provider that the local ARM has. */
export const armProviders: readonly ArmRoutes[] = [
  subscriptionRoutes,
  storageAccountRoutes,
  encryptionScopeRoutes,
  fileShareRoutes,
  resourceGraphRoutes,
];
