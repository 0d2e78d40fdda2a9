import { type Identity, ManagedServiceIdentityClient } from '@azure/arm-msi';
import type { TokenCredential } from '@azure/identity';
import type { Cloud } from '../azure/cloud.ts';
import { describeFailure } from '../azure/failure.ts';
import { parseResourceId, type ResourceId } from '../azure/resource-id.ts';

/** A user-assigned managed identity. */
export interface ManagedIdentity {
  /** ARM id. */
  readonly id: string;
  readonly name: string;
  readonly location: string;
  /** Object id in Entra ID: what role assignments name. */
  readonly principalId: string;
  readonly clientId: string;
}

/** User-assigned identities. Errors are the SDK's: read them with `describeFailure`. */
export interface Identities {
  /** Undefined when there is no such identity. */
  get(id: ResourceId): Promise<ManagedIdentity | undefined>;
  create(id: ResourceId, location: string): Promise<ManagedIdentity>;
}

export function createIdentities(credential: TokenCredential, cloud: Cloud): Identities {
  const clients = new Map<string, ManagedServiceIdentityClient>();
  const clientOf = (subscriptionId: string): ManagedServiceIdentityClient => {
    const client =
      clients.get(subscriptionId) ??
      new ManagedServiceIdentityClient(credential, subscriptionId, {
        endpoint: cloud.resourceManager,
        credentialScopes: [cloud.resourceManagerScope],
      });
    clients.set(subscriptionId, client);
    return client;
  };
  return {
    async get(id) {
      const { userAssignedIdentities } = clientOf(id.subscriptionId);
      try {
        return toIdentity(await userAssignedIdentities.get(id.resourceGroup, id.name));
      } catch (error) {
        if (describeFailure(error).kind === 'notFound') return undefined;
        throw error;
      }
    },
    async create(id, location) {
      const { userAssignedIdentities } = clientOf(id.subscriptionId);
      const created = toIdentity(await userAssignedIdentities.createOrUpdate(id.resourceGroup, id.name, { location }));
      if (!created) throw new TypeError(`Azure answered with an identity without a principal: ${id.id}.`);
      return created;
    },
  };
}

function toIdentity({ id, location, principalId, clientId }: Identity): ManagedIdentity | undefined {
  const parsed = parseResourceId(id ?? '');
  if (!parsed || !principalId || !clientId) return undefined;
  return { id: parsed.id, name: parsed.name, location, principalId, clientId };
}
