import { AuthorizationManagementClient } from '@azure/arm-authorization';
import { EventGridManagementClient } from '@azure/arm-eventgrid';
import { KeyVaultManagementClient } from '@azure/arm-keyvault';
import { ManagedServiceIdentityClient } from '@azure/arm-msi';
import { StorageManagementClient } from '@azure/arm-storage';
import { ClientSecretCredential } from '@azure/identity';
import { KeyClient } from '@azure/keyvault-keys';
import type { LocalAzure } from '../../local/azure/server.ts';

/** Somebody with rights of their own and the plain SDK, who knows nothing of the app. */
export function outsider({ owner }: Pick<LocalAzure, 'owner'>) {
  const credential = new ClientSecretCredential(
    owner.AZURE_TENANT_ID,
    owner.AZURE_CLIENT_ID,
    owner.AZURE_CLIENT_SECRET,
  );
  const subscription = owner.AZURE_SUBSCRIPTION_ID;
  return {
    storage: new StorageManagementClient(credential, subscription),
    vaults: new KeyVaultManagementClient(credential, subscription),
    identities: new ManagedServiceIdentityClient(credential, subscription),
    events: new EventGridManagementClient(credential, subscription),
    roles: new AuthorizationManagementClient(credential, subscription),
    keys: (vault: string) => new KeyClient(`https://${vault}.vault.azure.net`, credential),
  };
}
