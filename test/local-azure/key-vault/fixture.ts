import { Hono } from 'hono';
import { createWorld } from '../../../local/azure/create-world.ts';
import { createKeyVaultService } from '../../../local/azure/key-vault/service.ts';
import type { ServiceEnv } from '../../../local/azure/service.ts';
import type { Principal, Vault, VaultEvent, World, WorldSettings } from '../../../local/azure/world.ts';

/** A world with one vault, and a way to ask it as the owner, or as anyone else. */
export interface VaultFixture {
  readonly world: World;
  readonly vault: Vault;
  readonly events: VaultEvent[];
  readonly owner: Principal;
  readonly nobody: Principal;
  ask(method: string, path: string, body?: unknown, options?: AskOptions): Promise<Answer>;
}

interface AskOptions {
  as?: Principal;
  audience?: string;
  /** No Authorization header at all. */
  anonymous?: boolean;
  apiVersion?: string;
}

/** What answers hold; a test fails where a field that it looks at is not there. */
export interface Body {
  readonly [field: string]: unknown;
  readonly key: {
    readonly kid: string;
    readonly kty: string;
    readonly n: string;
    readonly e: string;
    readonly key_ops: readonly string[];
  };
  readonly attributes: {
    readonly created: number;
    readonly exp: number;
    readonly enabled: boolean;
    readonly expiryTime?: string;
  };
  readonly error: { readonly code: string; readonly message: string; readonly innererror: { readonly code: string } };
  readonly deletedDate: number;
  readonly scheduledPurgeDate: number;
  readonly recoveryId: string;
  readonly nextLink: string;
  /** Of a list; of an operation with a key it is text. */
  readonly value: readonly { readonly kid: string; readonly [field: string]: unknown }[];
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Body;
}

export function vaultFixture(settings: Partial<WorldSettings> = {}, properties: Partial<Vault['properties']> = {}) {
  const world = createWorld(settings);
  const events: VaultEvent[] = [];
  world.publish = (event) => events.push(event);
  const vault = addVault(world, 'kv-test', properties);
  const owner = named(world, 'owner');
  const service = createKeyVaultService(world);
  const nobody = named(world, 'outsider');
  const ask: VaultFixture['ask'] = async (method, path, body, options = {}) => {
    const app = new Hono<ServiceEnv>();
    app.use(async (c, next) => {
      const principal = options.as ?? owner;
      c.set('caller', { principal, audience: options.audience ?? 'https://vault.azure.net' });
      await next();
    });
    app.route('/', service);
    const query = `${path.includes('?') ? '&' : '?'}api-version=${options.apiVersion ?? '7.6'}`;
    const response = await app.request(`https://kv-test.vault.azure.net${path}${query}`, {
      method,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      headers: options.anonymous ? {} : { authorization: 'Bearer token' },
    });
    const text = await response.text();
    return { status: response.status, headers: response.headers, body: text ? JSON.parse(text) : undefined };
  };
  return { world, vault, events, owner, nobody, ask } satisfies VaultFixture;
}

export function addVault(world: World, name: string, properties: Partial<Vault['properties']> = {}): Vault {
  const vault: Vault = {
    id: `/subscriptions/5ab50000-0000-4000-8000-000000000001/resourceGroups/rg/providers/Microsoft.KeyVault/vaults/${name}`,
    name,
    location: 'westeurope',
    tags: {},
    properties: {
      vaultUri: `https://${name}.vault.azure.net/`,
      tenantId: world.tenantId,
      sku: { family: 'A', name: 'standard' },
      enableSoftDelete: true,
      enablePurgeProtection: true,
      enableRbacAuthorization: true,
      softDeleteRetentionInDays: 90,
      provisioningState: 'Succeeded',
      ...properties,
    },
    keys: new Map(),
    deletedKeys: new Map(),
  };
  world.vaults.set(name, vault);
  return vault;
}

export function named(world: World, displayName: string): Principal {
  const found = [...world.principals.values()].find((principal) => principal.displayName === displayName);
  if (!found) throw new Error(`No sign-in ${displayName}.`);
  return found;
}
