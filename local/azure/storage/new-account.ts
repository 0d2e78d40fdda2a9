import { timestamp } from '../timestamp.ts';
import type { StorageAccount, StorageEncryption } from '../world.ts';
import { placeProperties } from './account-body.ts';

/** The properties of a new account, apart from its encryption. */
export interface NewAccount {
  readonly id: string;
  readonly name: string;
  readonly location: string;
  readonly kind?: string;
  readonly skuName?: string;
  readonly tags?: Record<string, string>;
  /** Properties of the request, which override the defaults. */
  readonly properties?: Record<string, unknown>;
  readonly apiVersion?: string;
}

/** Encryption with Microsoft-managed keys, the default of every account. */
function microsoftManaged(nowMs: number): StorageEncryption {
  const service = { keyType: 'Account', enabled: true, lastEnabledTime: timestamp(nowMs) };
  return { services: { file: { ...service }, blob: { ...service } }, keySource: 'Microsoft.Storage' };
}

/** A new account with Azure's defaults, which is not in the world yet. */
export function newAccount(options: NewAccount, nowMs: number): StorageAccount {
  const kind = options.kind ?? 'StorageV2';
  const name = options.name;
  const sku = skuOf(options.skuName ?? 'Standard_LRS');
  const created = timestamp(nowMs);

  return {
    id: options.id,
    name,
    location: options.location,
    kind,
    sku,
    tags: options.tags ?? {},
    identity: undefined,
    properties: {
      keyCreationTime: { key1: created, key2: created },
      privateEndpointConnections: [],
      minimumTlsVersion: 'TLS1_0',
      // Public blob access is off by default since 2023.
      allowBlobPublicAccess: (options.apiVersion ?? '9') < '2023-01-01',
      networkAcls: { bypass: 'AzureServices', virtualNetworkRules: [], ipRules: [], defaultAction: 'Allow' },
      supportsHttpsTrafficOnly: true,
      ...(kind === 'StorageV2' || kind === 'BlobStorage' ? { accessTier: 'Hot' } : {}),
      ...options.properties,
      provisioningState: 'Succeeded',
      creationTime: created,
      ...placeProperties({ name, kind, sku, location: options.location }),
    },
    encryption: microsoftManaged(nowMs),
    encryptionScopes: new Map(),
    fileShares: new Map(),
    blobContainers: new Map(),
    queues: new Map(),
    tables: new Map(),
    lastKeyCheckMs: nowMs,
    loggedUntilMs: nowMs,
  };
}

/** An SKU as ARM shows it. */
export function skuOf(name: string): StorageAccount['sku'] {
  return { name, tier: name.split('_')[0] ?? 'Standard' };
}
