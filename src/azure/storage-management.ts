import { StorageManagementClient } from '@azure/arm-storage';
import type { TokenCredential } from '@azure/identity';
import type { Cloud } from './cloud.ts';

/**
 * The client of the Storage resource provider for a subscription, made once each. No retries in here: a worker that
 * waits for a throttled service pays for waiting, and a message that goes back to the queue does not.
 */
export function storageManagement(
  credential: TokenCredential,
  cloud: Cloud,
): (subscriptionId: string) => StorageManagementClient {
  const clients = new Map<string, StorageManagementClient>();
  return (subscriptionId) => {
    const known = clients.get(subscriptionId);
    if (known) return known;
    const client = new StorageManagementClient(credential, subscriptionId, {
      endpoint: cloud.resourceManager,
      credentials: { scopes: [cloud.resourceManagerScope] },
      retryOptions: { maxRetries: 0 },
    });
    clients.set(subscriptionId, client);
    return client;
  };
}

/** The SDK's option for a signal, left out when there is none. */
export function aborting(signal: AbortSignal | undefined): { abortSignal?: AbortSignal } {
  return signal ? { abortSignal: signal } : {};
}
