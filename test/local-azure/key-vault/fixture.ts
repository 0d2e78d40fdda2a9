import { Hono } from 'hono';
import { createWorld } from '../../../local/azure/create-world.ts';
import { addVault } from '../../../local/azure/fleet.ts';
import { createKeyVaultService } from '../../../local/azure/key-vault/service.ts';
import type { ServiceEnv } from '../../../local/azure/service.ts';
import type { Principal, ResourceGroup, Vault, VaultEvent, World, WorldSettings } from '../../../local/azure/world.ts';

interface AskOptions {
  as?: Principal;
  audience?: string;
}

/** The fields of answers; a test fails if a field that it reads is missing. */
interface Body {
  readonly [field: string]: unknown;
  readonly attributes: { readonly enabled: boolean };
  readonly error: { readonly code: string; readonly message: string; readonly innererror: { readonly code: string } };
  readonly nextLink: string;
  readonly value: readonly { readonly kid: string; readonly [field: string]: unknown }[];
}

interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Body;
}

/** A world with one vault, and a way to ask it as the owner, or as another caller. */
export function vaultFixture(settings: Partial<WorldSettings> = {}, properties: Partial<Vault['properties']> = {}) {
  const world = createWorld(settings);
  const events: VaultEvent[] = [];

  world.publish = (event) => events.push(event);

  const vault = testVault(world, properties);
  const owner = named(world, 'owner');
  const service = createKeyVaultService(world);
  const outsider = named(world, 'outsider');

  const ask = async (method: string, path: string, body?: unknown, options: AskOptions = {}): Promise<Answer> => {
    const app = new Hono<ServiceEnv>();

    app.use(async (c, next) => {
      const principal = options.as ?? owner;
      c.set('caller', { principal, audience: options.audience ?? 'https://vault.azure.net' });
      await next();
    });

    app.route('/', service);

    const query = `${path.includes('?') ? '&' : '?'}api-version=7.6`;
    const response = await app.request(`https://kv-test.vault.azure.net${path}${query}`, {
      method,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      headers: { authorization: 'Bearer token' },
    });

    const text = await response.text();

    return { status: response.status, headers: response.headers, body: text ? JSON.parse(text) : undefined };
  };

  return { world, vault, events, owner, outsider, ask };
}

export const GROUP: ResourceGroup = {
  id: '/subscriptions/5ab50000-0000-4000-8000-000000000001/resourceGroups/rg',
  name: 'rg',
  location: 'westeurope',
  tags: {},
};

export function testVault(world: World, properties: Partial<Vault['properties']> = {}): Vault {
  return addVault(world, GROUP, 'kv-test', properties);
}

export function named(world: World, displayName: string): Principal {
  const found = [...world.principals.values()].find((principal) => principal.displayName === displayName);
  if (!found) throw new Error(`No sign-in ${displayName}.`);
  return found;
}
