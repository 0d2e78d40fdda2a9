import type { Cloud } from '../azure/cloud.ts';
import type { TokenCredential } from '../azure/credential.ts';
import type { CallLimits } from '../azure/limits.ts';
import type { ResourceId } from '../azure/resource-id.ts';
import { storageManagement } from '../azure/resource-manager.ts';

/** State of encryption scopes. Methods throw the SDK's errors, which `describeFailure` describes. */
interface ScopeStates {
  get(account: ResourceId, scope: string): Promise<'Enabled' | 'Disabled'>;
  /** Sends one PATCH of only the state; the key and other settings remain. */
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
