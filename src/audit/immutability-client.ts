import type { ImmutabilityPolicy } from '@azure/arm-storage';
import type { TokenCredential } from '@azure/identity';
import type { Cloud } from '../azure/cloud.ts';
import { readUnlessMissing } from '../azure/failure.ts';
import type { CallLimits } from '../azure/limits.ts';
import type { ResourceId } from '../azure/resource-id.ts';
import { createStorageManagement } from '../azure/resource-manager.ts';
import { AUDIT_CONTAINER } from './audit-client.ts';

/** The immutability policy of the trail's container. Errors are the SDK's. */
export function createAuditPolicies(credential: TokenCredential, cloud: Cloud, limits: CallLimits) {
  const clientOf = createStorageManagement(credential, cloud, limits);

  return {
    /** Reads the policy; undefined: the container or its policy does not exist. */
    async get({ subscriptionId, resourceGroup, name }: ResourceId) {
      const { blobContainers } = clientOf(subscriptionId);
      const read = () => blobContainers.getImmutabilityPolicy(resourceGroup, name, AUDIT_CONTAINER);
      const policy = policyOf((await readUnlessMissing(read)) ?? {});
      return policy.days > 0 ? policy : undefined;
    },
    /** Locks the policy, irreversibly. @param etag of the policy that was read, so a changed policy is not locked */
    async lock({ subscriptionId, resourceGroup, name }: ResourceId, etag: string) {
      const { blobContainers } = clientOf(subscriptionId);
      return policyOf(await blobContainers.lockImmutabilityPolicy(resourceGroup, name, AUDIT_CONTAINER, etag));
    },
  };
}

/** `days`: days during which a record cannot be changed or deleted. */
function policyOf(policy: Partial<ImmutabilityPolicy>) {
  const { state, immutabilityPeriodSinceCreationInDays: days = 0, allowProtectedAppendWrites, etag = '' } = policy;
  return { isLocked: state === 'Locked', days, allowsAppends: allowProtectedAppendWrites === true, etag };
}
