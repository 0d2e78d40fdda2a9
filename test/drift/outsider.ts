import { AuthorizationManagementClient } from '@azure/arm-authorization';
import { EventGridManagementClient } from '@azure/arm-eventgrid';
import { KeyVaultManagementClient } from '@azure/arm-keyvault';
import { ManagedServiceIdentityClient } from '@azure/arm-msi';
import { StorageManagementClient } from '@azure/arm-storage';
import { ClientSecretCredential } from '@azure/identity';
import { KeyClient } from '@azure/keyvault-keys';
import type { LocalAzure } from '../../local/azure/server.ts';

/** An outsider with rights of their own and the plain SDK, who knows nothing of the app. */
export function outsider({ owner }: Pick<LocalAzure, 'owner'>) {
  const credential = new ClientSecretCredential(
    owner.AZURE_TENANT_ID,
    owner.AZURE_CLIENT_ID,
    owner.AZURE_CLIENT_SECRET,
  );

  const subscription = owner.AZURE_SUBSCRIPTION_ID;

  const send = async (host: string, method: string, path: string, body?: object): Promise<Response> => {
    const audience = host.includes('managedhsm') ? 'https://managedhsm.azure.net' : host;
    const { token } = await credential.getToken(`${audience}/.default`);
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
    const answer = await fetch(host + path, { method, headers, ...(body ? { body: JSON.stringify(body) } : {}) });
    if (!answer.ok) throw new Error(`${answer.status} ${await answer.text()}`);
    return answer;
  };

  return {
    storage: new StorageManagementClient(credential, subscription),
    vaults: new KeyVaultManagementClient(credential, subscription),
    identities: new ManagedServiceIdentityClient(credential, subscription),
    events: new EventGridManagementClient(credential, subscription),
    roles: new AuthorizationManagementClient(credential, subscription),
    /** A request as `az rest` makes it. */
    arm: async (method: 'GET' | 'PUT' | 'DELETE', path: string, body?: object): Promise<void> => {
      const versions = {
        Insights: '2021-05-01-preview',
        policyExemptions: '2022-07-01-preview',
        policyDefinitions: '2021-06-01',
        policy: '2022-06-01',
      };
      const [, version = '2020-05-01'] = Object.entries(versions).find(([name]) => path.includes(name)) ?? [];
      await send('https://management.azure.com', method, `${path}?api-version=${version}`, body);
    },
    /** A request to a Managed HSM. */
    hsm: async (name: string, method: 'GET' | 'PUT' | 'DELETE', path: string, body?: object) => {
      const answer = await send(`https://${name}.managedhsm.azure.net`, method, `${path}?api-version=7.4`, body);
      return (await answer.json()) as Record<string, unknown>;
    },
    keys: (vault: string) => new KeyClient(`https://${vault}.vault.azure.net`, credential),
  };
}
