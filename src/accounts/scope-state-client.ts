import type { Cloud } from '../azure/cloud.ts';
import type { TokenCredential } from '../azure/credential.ts';
import type { CallLimits } from '../azure/limits.ts';
import type { ResourceId } from '../azure/resource-id.ts';
import { storageManagement } from '../azure/resource-manager.ts';

/** Whether encryption scopes are enabled. Errors are the SDK's: read them with `describeFailure`. */
export interface ScopeStates {
  get(account: ResourceId, scope: string): Promise<'Enabled' | 'Disabled'>;
  /** One PATCH of the state alone: the key and all else of the scope stay. */
  set(account: ResourceId, scope: string, state: 'Enabled' | 'Disabled'): Promise<void>;
}

export function createScopeStates(credential: TokenCredential, cloud: Cloud, limits?: CallLimits): ScopeStates {
  const clientOf = storageManagement(credential, cloud, limits);
  return {
    async get({ subscriptionId, resourceGroup, name }, scope) {
      const { state } = await clientOf(subscriptionId).encryptionScopes.get(resourceGroup, name, scope);
      return state === 'Disabled' ? 'Disabled' : 'Enabled';
    },
    async set({ subscriptionId, resourceGroup, name }, scope, state) {
      await clientOf(subscriptionId).encryptionScopes.patch(resourceGroup, name, scope, { state });
    },
  };
}
