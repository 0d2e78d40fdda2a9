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
    /** A request as `az rest` makes it. */
    arm: async (method: 'GET' | 'PUT' | 'DELETE', path: string, body?: object): Promise<void> => {
      const { token } = await credential.getToken('https://management.azure.com/.default');
      const version = path.includes('/Microsoft.Insights/')
        ? '2021-05-01-preview'
        : path.includes('/policyExemptions/')
          ? '2022-07-01-preview'
          : path.includes('/policy')
            ? '2022-06-01'
            : '2020-05-01';
      const answer = await fetch(`https://management.azure.com${path}?api-version=${version}`, {
        method,
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
        ...(body ? { body: JSON.stringify(body) } : {}),
      });
      if (!answer.ok) throw new Error(`${answer.status} ${await answer.text()}`);
    },
    /** A request to a Managed HSM. */
    hsm: async (name: string, method: 'GET' | 'PUT' | 'DELETE', path: string, body?: object) => {
      const { token } = await credential.getToken('https://managedhsm.azure.net/.default');
      const answer = await fetch(`https://${name}.managedhsm.azure.net${path}?api-version=7.4`, {
        method,
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
        ...(body ? { body: JSON.stringify(body) } : {}),
      });
      if (!answer.ok) throw new Error(`${answer.status} ${await answer.text()}`);
      return (await answer.json()) as Record<string, unknown>;
    },
    keys: (vault: string) => new KeyClient(`https://${vault}.vault.azure.net`, credential),
  };
}
