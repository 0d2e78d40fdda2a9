import { AuthorizationManagementClient } from '@azure/arm-authorization';
import { StorageManagementClient } from '@azure/arm-storage';
import type { TokenCredential } from '@azure/identity';
import { clientPer } from './client-per.ts';
import type { Cloud } from './cloud.ts';
import { type CallLimits, callOptions, LIMITS } from './limits.ts';

type ResourceManagerOptions = ReturnType<typeof callOptions> & {
  readonly endpoint: string;
  /** Where the newer management clients look for the scope of their tokens, and where the older ones do. */
  readonly credentials: { readonly scopes: string[] };
  readonly credentialScopes: string[];
};

export function armOptions(cloud: Cloud, limits: CallLimits = LIMITS.resourceManager): ResourceManagerOptions {
  const scopes = [cloud.resourceManagerScope];
  return { endpoint: cloud.resourceManager, credentials: { scopes }, credentialScopes: scopes, ...callOptions(limits) };
}

/** The client of the Storage resource provider for a subscription, made once each. */
export function storageManagement(
  credential: TokenCredential,
  cloud: Cloud,
  limits: CallLimits = LIMITS.storageManagement,
): (subscriptionId: string) => StorageManagementClient {
  const options = armOptions(cloud, limits);
  return clientPer((subscriptionId) => new StorageManagementClient(credential, subscriptionId, options));
}

/** The client of roles and their assignments. Scopes are given whole, so no operation used here needs its subscription. */
export function authorizationManagement(
  credential: TokenCredential,
  cloud: Cloud,
  limits: CallLimits = LIMITS.resourceManager,
): AuthorizationManagementClient {
  return new AuthorizationManagementClient(
    credential,
    '00000000-0000-0000-0000-000000000000',
    armOptions(cloud, limits),
  );
}

/** An ARM id as a scope: the SDK puts a slash before what it is given. */
export function armScope(id: string): string {
  return id.replace(/^\//, '');
}

/** The SDK's option for a signal, left out when there is none. */
export function aborting(signal: AbortSignal | undefined): { abortSignal?: AbortSignal } {
  return signal ? { abortSignal: signal } : {};
}
