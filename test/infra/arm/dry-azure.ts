import type { Resource, Target } from './deploy.ts';
import { PURE_FUNCTIONS } from './functions.ts';
import { asObject, asString, at, isObject, type Json, type JsonObject } from './json.ts';

/** A name-based GUID, the same each time. */
export function guidOf(...parts: string[]): string {
  return asString(PURE_FUNCTIONS.guid?.(...parts), 'guid');
}

export const nameOf = (id: string): string => id.slice(id.lastIndexOf('/') + 1);

/** What Azure adds to a resource and templates read back, by type. */
const ADDED: Readonly<Record<string, (id: string) => JsonObject>> = {
  'Microsoft.ManagedIdentity/userAssignedIdentities': (id) => ({
    principalId: guidOf(id, 'principal'),
    clientId: guidOf(id, 'client'),
  }),
  'Microsoft.Insights/components': (id) => ({
    ConnectionString: `InstrumentationKey=${guidOf(id)};IngestionEndpoint=https://in.example/`,
  }),
  'Microsoft.OperationalInsights/workspaces': () => ({
    createdDate: '2026-11-01T08:00:00.0000000Z',
    customerId: '99999999-9999-9999-9999-999999999999',
  }),
  'Microsoft.Web/sites': (id) => ({ defaultHostName: `${nameOf(id)}.azurewebsites.net` }),
  'Microsoft.KeyVault/vaults': (id) => ({ vaultUri: `https://${nameOf(id)}.vault.azure.net/` }),
  'Microsoft.KeyVault/vaults/keys': (id) => {
    const uri = `https://${id.split('/')[8]}.vault.azure.net/keys/${nameOf(id)}`;
    return { keyUri: uri, keyUriWithVersion: `${uri}/${guidOf(id).replaceAll('-', '')}` };
  },
  'Microsoft.Storage/storageAccounts': (id) => ({
    primaryEndpoints: Object.fromEntries(
      ['blob', 'queue', 'table', 'file'].map((service) => [
        service,
        `https://${nameOf(id)}.${service}.core.windows.net/`,
      ]),
    ),
  }),
};

/** Adds to a resource what Azure would. */
export function completed({ id, type, body }: Resource): JsonObject {
  const identity: JsonObject =
    isObject(body.identity) && String(body.identity.type).includes('SystemAssigned')
      ? { identity: { ...body.identity, principalId: guidOf(id, 'its own principal') } }
      : {};
  return {
    ...body,
    ...identity,
    properties: { ...asObject(body.properties ?? {}, 'properties'), ...ADDED[type]?.(id) },
  };
}

/** Keeps the resources of each PUT in order, and answers as Azure would, to inspect what a template creates. */
export class DryAzure implements Target {
  readonly resources: Resource[] = [];
  /** Ids of the deployments within. */
  readonly deployments: string[] = [];
  readonly #there: Readonly<Record<string, JsonObject>>;

  /** @param there the answers for existing resources, by their ids */
  constructor(there: Readonly<Record<string, JsonObject>> = {}) {
    this.#there = there;
  }

  async put(resource: Resource): Promise<JsonObject> {
    this.resources.push(resource);
    return completed(resource);
  }

  deployed(id: string): void {
    this.deployments.push(id);
  }

  /** Existing resources: what was put, and anything else that is asked for, in West Europe. */
  async get(id: string): Promise<JsonObject> {
    const put = this.resources.findLast((resource) => resource.id.toLowerCase() === id.toLowerCase());
    if (put) return { id, name: nameOf(id), ...completed(put) };
    return { id, name: nameOf(id), location: 'westeurope', properties: {}, ...this.#there[id] };
  }

  /** What was put of a type, by its full name. */
  ofType(type: string): Resource[] {
    return this.resources.filter((resource) => resource.type === type);
  }

  /** Their names. */
  names(type: string): string[] {
    return this.ofType(type).map(({ id }) => nameOf(id));
  }

  /** Of each of a type, its properties, or what is there at a path below them. */
  values(type: string, ...path: (string | number)[]): (Json | undefined)[] {
    return this.ofType(type).map(({ body }) => at(body, 'properties', ...path));
  }

  /** The last settings of a site: of the app itself, or what else `Microsoft.Web/sites/config` has. */
  settings(name = 'appsettings'): Record<string, string> {
    const written = this.ofType('Microsoft.Web/sites/config').findLast(({ id }) => nameOf(id) === name);
    return asObject(written?.body.properties, name) as Record<string, string>;
  }
}
