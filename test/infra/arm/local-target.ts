import { ClientSecretCredential, type TokenCredential } from '@azure/identity';
import { KeyClient } from '@azure/keyvault-keys';
import type { LocalAzure } from '../../../local/azure/server.ts';
import type { Resource, Target } from './deploy.ts';
import { completed, DryAzure } from './dry-azure.ts';
import { asObject, asString, at, type JsonObject } from './json.ts';

/** Resource types that the local Azure serves; what lies on another type is put to nowhere. */
const SERVED = new Set(
  [
    'Microsoft.KeyVault/vaults',
    'Microsoft.ManagedIdentity/userAssignedIdentities',
    'Microsoft.Authorization/roleDefinitions',
    'Microsoft.Authorization/roleAssignments',
    'Microsoft.Storage/storageAccounts',
    'Microsoft.Storage/storageAccounts/fileServices/shares',
    'Microsoft.EventGrid/systemTopics',
    'Microsoft.EventGrid/systemTopics/eventSubscriptions',
  ].map((type) => type.toLowerCase()),
);

/** Roles on blobs, queues and tables: Azurite, which replaces the storage of the app, has no roles. */
const STORAGE_ROLES = [
  'b7e6dc6d-f1e8-4753-8033-0f276bb0955b',
  'ba92f5b4-2d11-453d-a403-e96b0029c9fe',
  '974c5e8b-45b9-4653-ba55-5f855dd0fb88',
  '0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3',
];

/** The types along an id: of the resource, and of what it extends. */
function typesIn(id: string): string[] {
  return id
    .split('/providers/')
    .slice(1)
    .map((part) => {
      const segments = part.toLowerCase().split('/');
      return [segments[0], ...segments.slice(1).filter((_, index) => index % 2 === 0)].join('/');
    });
}

/** Deploys to a running local Azure, as its owner, over its public API. */
export class LocalTarget implements Target {
  readonly #credential: TokenCredential;
  /** What the local Azure does not serve, kept. */
  readonly elsewhere = new DryAzure();

  constructor(azure: LocalAzure) {
    const { AZURE_TENANT_ID, AZURE_CLIENT_ID, AZURE_CLIENT_SECRET } = azure.owner;
    this.#credential = new ClientSecretCredential(AZURE_TENANT_ID, AZURE_CLIENT_ID, AZURE_CLIENT_SECRET);
  }

  async put(resource: Resource): Promise<JsonObject> {
    if (resource.type === 'Microsoft.KeyVault/vaults/keys') return this.#key(resource);
    const role = String(at(resource.body, 'properties', 'roleDefinitionId'));
    const served =
      resource.type === 'Microsoft.Resources/resourceGroups' || typesIn(resource.id).every((type) => SERVED.has(type));
    if (!served || STORAGE_ROLES.some((id) => role.endsWith(id))) return this.elsewhere.put(resource);
    // A resource may be read back with more than was sent, never with less.
    return { ...completed(resource), ...(await this.#arm('PUT', resource.id, resource.apiVersion, resource.body)) };
  }

  async get(id: string, apiVersion: string): Promise<JsonObject> {
    return typesIn(id).every((type) => SERVED.has(type)) ? this.#arm('GET', id, apiVersion) : this.elsewhere.get(id);
  }

  async #arm(method: string, id: string, apiVersion: string, body?: JsonObject): Promise<JsonObject> {
    const token = await this.#credential.getToken('https://management.azure.com/.default');
    const response = await fetch(`https://management.azure.com${id}?api-version=${apiVersion}`, {
      method,
      headers: { authorization: `Bearer ${token?.token}`, 'content-type': 'application/json' },
      ...(body ? { body: JSON.stringify(body) } : {}),
    });
    const answer = (await response.json()) as JsonObject;
    if (!response.ok) throw new Error(`${method} ${id}: ${response.status} ${JSON.stringify(answer)}`);
    return answer;
  }

  /** Keys are children of a vault for Azure Resource Manager; the local Azure has them on Key Vault's own data plane. */
  async #key({ id, body }: Resource): Promise<JsonObject> {
    const segments = id.split('/');
    const vaultUrl = `https://${segments[8]}.vault.azure.net`;
    const keyUri = `${vaultUrl}/keys/${segments[10]}`;
    const client = new KeyClient(vaultUrl, this.#credential);
    const properties = asObject(body.properties, 'properties');
    const key = await client.createKey(segments[10] ?? '', asString(properties.kty, 'kty'), {
      keySize: Number(properties.keySize),
    });
    const actions = at(properties, 'rotationPolicy', 'lifetimeActions');

    await client.updateKeyRotationPolicy(segments[10] ?? '', {
      expiresIn: asString(at(properties, 'rotationPolicy', 'attributes', 'expiryTime'), 'expiryTime'),
      lifetimeActions: (Array.isArray(actions) ? actions : []).map((action) => ({
        action: String(at(action, 'action', 'type')).toLowerCase() === 'rotate' ? 'Rotate' : 'Notify',
        ...(at(action, 'trigger') as { timeAfterCreate?: string; timeBeforeExpiry?: string }),
      })),
    });

    return { properties: { keyUri, keyUriWithVersion: asString(key.id ?? null, 'key id') } };
  }
}
