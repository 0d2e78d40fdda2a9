import { resourceGraphRoutes } from '../resource-graph/routes.ts';
import { activityLogRoutes } from './activity-log.ts';
import type { ArmRoutes } from './arm-request.ts';
import { blobContainerRoutes } from './blob-containers.ts';
import { customTopicRoutes } from './custom-topics.ts';
import { encryptionScopeRoutes } from './encryption-scopes.ts';
import { eventSubscriptionRoutes } from './event-subscriptions.ts';
import { fileShareRoutes } from './file-shares.ts';
import { identityRoutes } from './identities.ts';
import { managedHsmRoutes } from './managed-hsms.ts';
import { otherResourceRoutes } from './other-resources.ts';
import { policyRoutes } from './policies.ts';
import { policyInsightsRoutes } from './policy-insights.ts';
import { resourceRoutes } from './resources.ts';
import { roleAssignmentRoutes } from './role-assignments.ts';
import { roleDefinitionRoutes } from './role-definitions.ts';
import { roleScheduleRoutes } from './role-schedules.ts';
import { storageAccountRoutes } from './storage-accounts.ts';
import { subscriptionRoutes } from './subscriptions.ts';
import { systemTopicRoutes } from './system-topics.ts';
import { deletedVaultRoutes } from './vault-deletion.ts';
import { vaultGuardRoutes } from './vault-guards.ts';
import { vaultRoutes } from './vaults.ts';

/**
 * The resource providers of the local ARM. Add another one's routes here; `isOpenToAll` of the ARM service lists the
 * requests that need no role.
 */
export const armProviders: readonly ArmRoutes[] = [
  subscriptionRoutes,
  resourceRoutes,
  vaultRoutes,
  managedHsmRoutes,
  deletedVaultRoutes,
  storageAccountRoutes,
  encryptionScopeRoutes,
  fileShareRoutes,
  blobContainerRoutes,
  identityRoutes,
  otherResourceRoutes,
  roleDefinitionRoutes,
  roleAssignmentRoutes,
  roleScheduleRoutes,
  vaultGuardRoutes,
  policyRoutes,
  policyInsightsRoutes,
  activityLogRoutes,
  eventSubscriptionRoutes,
  systemTopicRoutes,
  customTopicRoutes,
  resourceGraphRoutes,
];
