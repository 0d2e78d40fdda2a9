import { DefaultAzureCredential, ManagedIdentityCredential, type TokenCredential } from '@azure/identity';

export type { TokenCredential } from '@azure/identity';

/** Credential of the app's managed identity alone: a credential chain would hide a missing identity. */
export function createAppCredential(clientId: string | undefined): TokenCredential {
  return clientId ? new ManagedIdentityCredential({ clientId }) : new ManagedIdentityCredential();
}

/** Credential of the operator's sign-in: of the Azure CLI, a developer tool, or the environment. */
export function createOperatorCredential(authorityHost?: string): TokenCredential {
  return new DefaultAzureCredential(authorityHost ? { authorityHost } : {});
}
