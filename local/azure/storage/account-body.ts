import type { StorageAccount } from '../world.ts';

/** The region that geo-redundant accounts replicate to, for the regions used here. */
const pairs: Record<string, string> = {
  eastus: 'westus',
  eastus2: 'centralus',
  eastus2euap: 'centraluseuap',
  southcentralus: 'northcentralus',
  westus: 'eastus',
  westeurope: 'northeurope',
  northeurope: 'westeurope',
  germanywestcentral: 'germanynorth',
  swedencentral: 'swedensouth',
};
/** The DNS zone of static websites, which varies by region. */
const webZones: Record<string, string> = { eastus2euap: 'z3', westeurope: 'z6', northeurope: 'z16' };

/**
 * A storage account as ARM shows it. An account without CMK has no `keyvaultproperties`; one that never had an identity
 * has no `identity`.
 */
export function accountBody(account: StorageAccount): Record<string, unknown> {
  const { id, name, location, kind, sku, tags, identity, properties, encryption } = account;

  return {
    ...(identity ? { identity } : {}),
    sku,
    kind,
    id,
    name,
    type: 'Microsoft.Storage/storageAccounts',
    location,
    tags,
    properties: { ...properties, encryption: { ...encryption, services: shownServices(encryption) } },
  };
}

/** A queue or table service with a key of its own is omitted (seen in recordings). */
function shownServices({ services }: StorageAccount['encryption']): StorageAccount['encryption']['services'] {
  return Object.fromEntries(Object.entries(services).filter(([, { keyType }]) => keyType !== 'Service'));
}

/** Endpoints and locations, derived from name, kind, SKU and region. */
export function placeProperties(
  account: Pick<StorageAccount, 'name' | 'kind' | 'sku' | 'location'>,
): Record<string, unknown> {
  const { name, kind, sku, location } = account;
  const secondary = pairs[location];
  const geo = /GRS|GZRS/.test(sku.name) && secondary !== undefined;
  const readable = geo && sku.name.includes('_RA');
  const zone = webZones[location] ?? 'z1';
  const endpoints = (host: string, services: string[]) =>
    Object.fromEntries(
      services.map((service) => [
        service,
        `https://${host}.${service === 'web' ? `${zone}.` : ''}${service}.core.windows.net/`,
      ]),
    );

  const services = servicesOf(kind, sku);

  return {
    primaryEndpoints: endpoints(name, services),
    primaryLocation: location,
    statusOfPrimary: 'available',
    ...(geo ? { secondaryLocation: secondary, statusOfSecondary: 'available' } : {}),
    ...(readable
      ? {
          secondaryEndpoints: endpoints(
            `${name}-secondary`,
            services.filter((service) => service !== 'file'),
          ),
        }
      : {}),
  };
}

/** Whether an account has a service (`blob`, `file`). */
export function hasService({ kind, sku }: StorageAccount, service: string): boolean {
  return servicesOf(kind, sku).includes(service);
}

/** Premium accounts have only one kind of data (Azure Storage, "Storage account overview", types of accounts). */
function servicesOf(kind: string, { tier }: StorageAccount['sku']): string[] {
  if (kind === 'FileStorage') return ['file'];
  if (kind === 'BlobStorage') return ['dfs', 'blob'];
  if (kind === 'BlockBlobStorage') return ['dfs', 'web', 'blob'];
  if (tier === 'Premium') return ['web', 'blob'];
  return [...(kind === 'StorageV2' ? ['dfs', 'web'] : []), 'blob', 'queue', 'table', 'file'];
}
