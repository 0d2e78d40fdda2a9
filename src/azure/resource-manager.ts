import { AuthorizationManagementClient } from '@azure/arm-authorization';
import { type Encryption, StorageManagementClient } from '@azure/arm-storage';
import type { TokenCredential } from '@azure/identity';
import { cacheRecent } from './cache-recent.ts';
import type { Cloud } from './cloud.ts';
import { type CallLimits, callOptions, LIMITS } from './limits.ts';

type ResourceManagerOptions = ReturnType<typeof callOptions> & {
  readonly endpoint: string;
  /** Token scope for the newer management clients, and for the older ones. */
  readonly credentials: { readonly scopes: string[] };
  readonly credentialScopes: string[];
};

export function createArmOptions(cloud: Cloud, limits: CallLimits = LIMITS.resourceManager): ResourceManagerOptions {
  const scopes = [cloud.resourceManagerScope];
  return { endpoint: cloud.resourceManager, credentials: { scopes }, credentialScopes: scopes, ...callOptions(limits) };
}

/** An account's encryption settings. Exported here, because only clients import the SDKs. */
export type { Encryption };

/** Returns the client of the Storage resource provider for a subscription, created once. */
export function createStorageManagement(
  credential: TokenCredential,
  cloud: Cloud,
  limits: CallLimits = LIMITS.storageManagement,
): (subscriptionId: string) => StorageManagementClient {
  const options = createArmOptions(cloud, limits);
  return cacheRecent((subscriptionId) => new StorageManagementClient(credential, subscriptionId, options));
}

/** Returns the client of role assignments. Its operations take full scopes, so none needs a subscription id. */
export function createAuthorizationManagement(
  credential: TokenCredential,
  cloud: Cloud,
  limits: CallLimits = LIMITS.resourceManager,
): AuthorizationManagementClient {
  return new AuthorizationManagementClient(
    credential,
    '00000000-0000-0000-0000-000000000000',
    createArmOptions(cloud, limits),
  );
}

/** Formats an ARM id as a scope: the SDK prepends a slash. */
export function formatArmScope(id: string): string {
  return id.replace(/^\//, '');
}

/** The SDK's option for a signal; empty without a signal. */
export function toAbortOption(signal: AbortSignal | undefined): { abortSignal?: AbortSignal } {
  return signal ? { abortSignal: signal } : {};
}
