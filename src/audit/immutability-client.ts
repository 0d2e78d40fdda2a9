import type { ImmutabilityPolicy } from '@azure/arm-storage';
import type { TokenCredential } from '@azure/identity';
import type { Cloud } from '../azure/cloud.ts';
import { unlessMissing } from '../azure/failure.ts';
import type { CallLimits } from '../azure/limits.ts';
import type { ResourceId } from '../azure/resource-id.ts';
import { storageManagement } from '../azure/resource-manager.ts';
import { AUDIT_CONTAINER } from './audit-client.ts';

/** The immutability policy of the trail's container. Errors are the SDK's. */
interface AuditPolicy {
  readonly isLocked: boolean;
  /** Days during which a record cannot be changed or deleted. */
  readonly days: number;
  /** Whether the policy still allows appends. */
  readonly allowsAppends: boolean;
  readonly etag: string;
}

interface AuditPolicies {
  /** Reads the policy; undefined: the container or its policy does not exist. */
  get(account: ResourceId): Promise<AuditPolicy | undefined>;
  /** Locks the policy, irreversibly. @param etag ETag of the policy that was read, so a changed policy is not locked */
  lock(account: ResourceId, etag: string): Promise<AuditPolicy>;
}

export function createAuditPolicies(credential: TokenCredential, cloud: Cloud, limits: CallLimits): AuditPolicies {
  const clientOf = storageManagement(credential, cloud, limits);
  return {
    async get({ subscriptionId, resourceGroup, name }) {
      const { blobContainers } = clientOf(subscriptionId);
      const read = () => blobContainers.getImmutabilityPolicy(resourceGroup, name, AUDIT_CONTAINER);
      const policy = policyOf((await unlessMissing(read)) ?? {});
      return policy.days > 0 ? policy : undefined;
    },
    async lock({ subscriptionId, resourceGroup, name }, etag) {
      const { blobContainers } = clientOf(subscriptionId);
      return policyOf(await blobContainers.lockImmutabilityPolicy(resourceGroup, name, AUDIT_CONTAINER, etag));
    },
  };
}

function policyOf(policy: Partial<ImmutabilityPolicy>): AuditPolicy {
  const { state, immutabilityPeriodSinceCreationInDays: days = 0, allowProtectedAppendWrites, etag = '' } = policy;
  return { isLocked: state === 'Locked', days, allowsAppends: allowProtectedAppendWrites === true, etag };
}
