import type { ImmutabilityPolicy } from '@azure/arm-storage';
import type { TokenCredential } from '@azure/identity';
import type { Cloud } from '../azure/cloud.ts';
import { unlessMissing } from '../azure/failure.ts';
import type { CallLimits } from '../azure/limits.ts';
import type { ResourceId } from '../azure/resource-id.ts';
import { storageManagement } from '../azure/resource-manager.ts';
import { AUDIT_CONTAINER } from './audit-files.ts';

/** The immutability policy of the container of the trail. Errors are the SDK's. */
interface AuditPolicy {
  readonly isLocked: boolean;
  /** Days for which a record can be neither changed nor deleted. */
  readonly days: number;
  /** Whether records can be appended all the same. */
  readonly allowsAppends: boolean;
  readonly etag: string;
}

interface AuditPolicies {
  /** Undefined: the container, or its policy, is not there. */
  get(account: ResourceId): Promise<AuditPolicy | undefined>;
  /** Cannot be undone. @param etag of what was read: a policy that was changed since is not locked */
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
