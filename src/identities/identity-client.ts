import { type Identity, ManagedServiceIdentityClient } from '@azure/arm-msi';
import type { TokenCredential } from '@azure/identity';
import { cacheRecent } from '../azure/cache-recent.ts';
import type { Cloud } from '../azure/cloud.ts';
import { describeFailure } from '../azure/failure.ts';
import type { CallLimits } from '../azure/limits.ts';
import { parseResourceId, type ResourceId } from '../azure/resource-id.ts';
import { createArmOptions, toAbortOption } from '../azure/resource-manager.ts';

export interface ManagedIdentity {
  /** ARM id. */
  readonly id: string;
  readonly name: string;
  readonly location: string;
  /** Object id in Entra ID: role assignments name this id. */
  readonly principalId: string;
  readonly clientId: string;
}

export type Identities = ReturnType<typeof createIdentities>;

/** User-assigned identities. Errors are the SDK's: read them with `describeFailure`. */
export function createIdentities(credential: TokenCredential, cloud: Cloud, limits?: CallLimits) {
  const clientOf = cacheRecent(
    (subscriptionId) => new ManagedServiceIdentityClient(credential, subscriptionId, createArmOptions(cloud, limits)),
  );

  return {
    /**
     * Undefined if Azure answers 404 for the identity or its resource group. A 404 for the subscription is an error: the
     * sign-in may lack access to it.
     */
    async get(id: ResourceId, signal?: AbortSignal): Promise<ManagedIdentity | undefined> {
      const { userAssignedIdentities } = clientOf(id.subscriptionId);
      try {
        return identityOf(await userAssignedIdentities.get(id.resourceGroup, id.name, toAbortOption(signal)));
      } catch (error) {
        const { kind, code } = describeFailure(error);
        if (kind === 'notFound' && code !== 'SubscriptionNotFound') return undefined;
        throw error;
      }
    },
    async *list(subscriptionId: string, signal?: AbortSignal): AsyncIterable<ManagedIdentity> {
      const { userAssignedIdentities } = clientOf(subscriptionId);
      for await (const identity of userAssignedIdentities.listBySubscription(toAbortOption(signal))) {
        const read = toIdentity(identity);
        if (read) yield read;
      }
    },
    async create(id: ResourceId, location: string): Promise<ManagedIdentity> {
      const { userAssignedIdentities } = clientOf(id.subscriptionId);
      return identityOf(await userAssignedIdentities.createOrUpdate(id.resourceGroup, id.name, { location }));
    },
  };
}

/** @throws TypeError for an answer without a principal: it does not prove that the identity was deleted */
function identityOf(answer: Identity): ManagedIdentity {
  const read = toIdentity(answer);
  if (!read) throw new TypeError(`Azure answered with an identity without a principal: ${answer.id}.`);
  return read;
}

function toIdentity({ id, location, principalId, clientId }: Identity): ManagedIdentity | undefined {
  const parsed = parseResourceId(id ?? '');
  if (!parsed || !principalId || !clientId) return undefined;
  return { id: parsed.id, name: parsed.name, location, principalId, clientId };
}
