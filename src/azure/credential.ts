import { DefaultAzureCredential, ManagedIdentityCredential, type TokenCredential } from '@azure/identity';

export type { TokenCredential } from '@azure/identity';

/** The app's managed identity, and nothing else: a chain of credentials would hide a missing one. */
export function appCredential(clientId: string | undefined): TokenCredential {
  return clientId ? new ManagedIdentityCredential({ clientId }) : new ManagedIdentityCredential();
}

/** The operator's sign-in: of the Azure CLI, of a developer tool, or of the environment. */
export function operatorCredential(authorityHost?: string): TokenCredential {
  return new DefaultAzureCredential(authorityHost ? { authorityHost } : {});
}
