import { randomBytes, randomUUID } from 'node:crypto';
import { asObject, asString, type JsonObject } from '../json.ts';
import { hasService } from '../storage/account-body.ts';
import { timestamp } from '../timestamp.ts';
import type { FileShare, StorageAccount } from '../world.ts';
import { type ArmRequest, type ArmRoutes, nameAt, ok } from './arm-request.ts';
import { ArmError, badRequest } from './errors.ts';
import { page } from './paging.ts';
import { requireAccount } from './storage-accounts.ts';

const shareType = 'Microsoft.Storage/storageAccounts/fileServices/shares';
/** Properties of a share that a client may set. */
const writable = ['accessTier', 'enabledProtocols', 'metadata', 'rootSquash', 'shareQuota'] as const;
const dayMs = 86_400_000;

interface DeletedShare {
  readonly share: FileShare;
  /** 16 hexadecimal digits. */
  readonly version: string;
  readonly deletedMs: number;
  readonly days: number;
}

/** Settings of an account's file service that only ARM shows. */
interface Extras {
  retention: { enabled: boolean; days: number };
  deleted: DeletedShare[];
}

const extras = new WeakMap<StorageAccount, Extras>();

function extrasOf(account: StorageAccount): Extras {
  const held = extras.get(account) ?? { retention: { enabled: true, days: 7 }, deleted: [] };
  extras.set(account, held);
  return held;
}

/** An account that has only blobs has no shares (public reports: `400` for a list). */
function requireFiles(request: ArmRequest): StorageAccount {
  const account = requireAccount(request);
  if (hasService(account, 'file')) return account;
  throw badRequest('File is not supported for the account.', 'FeatureNotSupportedForAccount');
}

function isPremium({ kind }: StorageAccount): boolean {
  return kind === 'FileStorage';
}

/** A share as a list shows it; with `snapshot`, as it was at that time. */
function shareItem(request: ArmRequest, account: StorageAccount, share: FileShare, snapshot?: string): JsonObject {
  // General-purpose v1 accounts, premium accounts and snapshots cannot change their tier.
  const tiered = account.kind === 'StorageV2' && snapshot === undefined;
  const changed = share.modifiedTime ?? timestamp(request.world.clock.nowMs());

  return {
    id: `${account.id}/fileServices/default/shares/${share.name}`,
    name: share.name,
    type: shareType,
    etag: `"0x${Buffer.from(`${share.name}${changed}`).toString('hex').slice(-15).toUpperCase()}"`,
    properties: {
      accessTier: share.accessTier ?? (isPremium(account) ? 'Premium' : 'TransactionOptimized'),
      ...(tiered ? { accessTierChangeTime: changed } : {}),
      ...(snapshot === undefined ? {} : { snapshotTime: snapshot }),
      lastModifiedTime: changed,
      shareQuota: share.shareQuota,
      enabledProtocols: share.enabledProtocols,
      ...(share.rootSquash === undefined ? {} : { rootSquash: share.rootSquash }),
      leaseStatus: 'unlocked',
      leaseState: 'available',
    },
  };
}

/** A share on its own names its protocol only if it is not SMB, and always has its metadata (seen in recordings). */
function shareBody(request: ArmRequest, account: StorageAccount, share: FileShare, snapshot?: string): JsonObject {
  const item = shareItem(request, account, share, snapshot);
  const { enabledProtocols, ...properties } = asObject(item.properties) ?? {};
  const metadata = snapshot === undefined ? share.metadata : share.snapshots?.get(snapshot);
  const changed = share.modifiedTime ?? timestamp(request.world.clock.nowMs());

  return {
    ...item,
    properties: {
      ...properties,
      ...(account.kind === 'StorageV2' ? { accessTierChangeTime: changed } : {}),
      ...(share.enabledProtocols === 'SMB' ? {} : { enabledProtocols }),
      ...(metadata && Object.keys(metadata).length > 0 ? { metadata } : {}),
      signedIdentifiers: [],
    },
  };
}

/** The answer to a change has only the properties of the request (seen in recordings). */
function echo(account: StorageAccount, share: FileShare, asked: JsonObject): JsonObject {
  return {
    id: `${account.id}/fileServices/default/shares/${share.name}`,
    name: share.name,
    type: shareType,
    ...(Object.keys(asked).length > 0 ? { properties: asked } : {}),
  };
}

function askedOf(request: ArmRequest): JsonObject {
  const properties = asObject(request.body.properties) ?? {};
  return Object.fromEntries(
    writable.filter((name) => properties[name] !== undefined).map((name) => [name, properties[name]]),
  );
}

function put(request: ArmRequest): Response {
  const account = requireFiles(request);
  const name = nameAt(request, 2);
  if (!/^[a-z0-9](?:-?[a-z0-9]){2,62}$/.test(name)) {
    throw badRequest(`'${name}' is not a valid share name.`, 'InvalidResourceName');
  }

  const asked = askedOf(request);
  if (/snapshots/i.test(request.query.get('$expand') ?? '')) return snapshot(request, account, asked);

  const existing = account.fileShares.get(name);
  const share: FileShare = existing ?? {
    name,
    enabledProtocols: asked.enabledProtocols === 'NFS' ? 'NFS' : 'SMB',
    shareQuota: isPremium(account) ? 100 : 5120,
    files: [],
  };

  change(request, share, asked);
  account.fileShares.set(name, share);

  return ok(echo(account, share, asked), existing ? 200 : 201);
}

function change({ world }: ArmRequest, share: FileShare, asked: JsonObject): void {
  if (typeof asked.shareQuota === 'number') share.shareQuota = asked.shareQuota;
  share.accessTier = asString(asked.accessTier) ?? share.accessTier;
  share.rootSquash = asString(asked.rootSquash) ?? share.rootSquash;
  share.metadata = (asObject(asked.metadata) as Record<string, string> | undefined) ?? share.metadata;
  share.modifiedTime = timestamp(world.clock.nowMs());
}

/** A snapshot keeps the share's quota and tier. Of the request only the metadata counts. */
function snapshot(request: ArmRequest, account: StorageAccount, asked: JsonObject): Response {
  const share = requireShare(request, account);
  const snapshotTime = timestamp(request.world.clock.nowMs());
  share.snapshots ??= new Map();
  share.snapshots.set(snapshotTime, (asObject(asked.metadata) ?? {}) as Record<string, string>);
  return ok(echo(account, share, { ...asked, snapshotTime }), 201);
}

function requireShare(request: ArmRequest, account: StorageAccount): FileShare {
  const share = account.fileShares.get(nameAt(request, 2));
  if (share) return share;
  throw refusal(request, 404, 'ShareNotFound', 'The specified share does not exist.');
}

/** A refusal of the file service, which the resource provider passes on with its request id and time. */
function refusal({ world }: ArmRequest, status: number, code: string, message: string): ArmError {
  const time = world.clock.now().toISOString().replace('Z', '0000Z');
  return new ArmError(status, code, `${message}\nRequestId:${randomUUID()}\nTime:${time}`);
}

function get(request: ArmRequest): Response {
  const account = requireFiles(request);
  const share = requireShare(request, account);
  const of = request.header('x-ms-snapshot');
  if (of !== undefined && !share.snapshots?.has(of)) {
    throw refusal(request, 404, 'ShareNotFound', 'The specified share does not exist.');
  }
  return ok(shareBody(request, account, share, of));
}

function remove(request: ArmRequest): Response {
  const account = requireFiles(request);
  const share = account.fileShares.get(nameAt(request, 2));
  if (!share) return new Response(null, { status: 204 });

  const of = request.header('x-ms-snapshot');
  if (of !== undefined) return new Response(null, { status: share.snapshots?.delete(of) ? 200 : 204 });

  if (request.query.get('$include') === 'none' && share.snapshots?.size) {
    const message = 'The share has snapshots and the operation requires no snapshots.';
    throw refusal(request, 409, 'ShareHasSnapshots', message);
  }

  account.fileShares.delete(share.name);

  const { retention, deleted } = extrasOf(account);
  if (retention.enabled) {
    const version = randomBytes(8).toString('hex').toUpperCase();
    deleted.push({ share, version, deletedMs: request.world.clock.nowMs(), days: retention.days });
  }

  return new Response(null, { status: 200 });
}

/** The deleted shares that can still be restored. */
function deletedShares(request: ArmRequest, account: StorageAccount): DeletedShare[] {
  const nowMs = request.world.clock.nowMs();
  return extrasOf(account).deleted.filter(({ deletedMs, days }) => nowMs < deletedMs + days * dayMs);
}

function deletedItem(request: ArmRequest, account: StorageAccount, deleted: DeletedShare): JsonObject {
  const { share, version, deletedMs, days } = deleted;
  const item = shareItem(request, account, share);
  const passed = Math.floor((request.world.clock.nowMs() - deletedMs) / dayMs);

  return {
    ...item,
    id: `${String(item.id)}_${version}`,
    properties: {
      ...asObject(item.properties),
      leaseState: 'broken',
      version,
      deleted: true,
      deletedTime: timestamp(deletedMs),
      remainingRetentionDays: days - passed,
    },
  };
}

function list(request: ArmRequest): Response {
  const account = requireFiles(request);
  const size = Number(request.query.get('$maxpagesize') ?? 5000) || 5000;
  const expand = request.query.get('$expand') ?? '';
  const live = [...account.fileShares.values()].flatMap((share) => [
    ...(/snapshots/i.test(expand) ? [...(share.snapshots?.keys() ?? [])] : []).map((of) =>
      shareItem(request, account, share, of),
    ),
    shareItem(request, account, share),
  ]);

  const deleted = /deleted/i.test(expand) ? deletedShares(request, account) : [];
  const items = [...live, ...deleted.map((one) => deletedItem(request, account, one))];

  return ok(page(request, items, size, (item) => item));
}

function restore(request: ArmRequest): Response {
  const account = requireFiles(request);
  const { deletedShareName, deletedShareVersion } = request.body;
  const found = deletedShares(request, account).find(
    ({ share, version }) => share.name === deletedShareName && version === deletedShareVersion,
  );
  if (!found) throw refusal(request, 404, 'ShareNotFound', 'The specified share does not exist.');

  if (account.fileShares.has(found.share.name)) {
    throw refusal(request, 409, 'ShareAlreadyExists', 'The specified share already exists.');
  }

  const held = extrasOf(account);

  held.deleted = held.deleted.filter((one) => one !== found);
  found.share.modifiedTime = timestamp(request.world.clock.nowMs());
  account.fileShares.set(found.share.name, found.share);

  return new Response(null, { status: 200 });
}

function serviceBody(account: StorageAccount, properties: JsonObject): JsonObject {
  return {
    id: `${account.id}/fileServices/default`,
    name: 'default',
    type: 'Microsoft.Storage/storageAccounts/fileServices',
    properties,
  };
}

function getService(request: ArmRequest): Response {
  const account = requireFiles(request);
  const { enabled, days } = extrasOf(account).retention;
  const shareDeleteRetentionPolicy = { enabled, days: enabled ? days : 0 };
  const shown = { protocolSettings: { smb: {} }, cors: { corsRules: [] }, shareDeleteRetentionPolicy };
  return ok({ sku: account.sku, ...serviceBody(account, shown) });
}

function putService(request: ArmRequest): Response {
  const account = requireFiles(request);
  const asked = asObject(request.body.properties) ?? {};
  const policy = asObject(asked.shareDeleteRetentionPolicy);
  const held = extrasOf(account);

  if (policy) {
    const days = policy.days ?? held.retention.days;
    if (policy.enabled === true && !(Number.isInteger(days) && Number(days) >= 1 && Number(days) <= 365)) {
      throw badRequest('The days of shareDeleteRetentionPolicy must be from 1 to 365.', 'InvalidRequestPropertyValue');
    }

    held.retention = { enabled: policy.enabled === true, days: Number(days) };
  }

  return ok(serviceBody(account, asked));
}

/** The file service of a storage account, as ARM manages it. */
export const fileShareRoutes: ArmRoutes = {
  'GET microsoft.storage/storageaccounts/{}/fileservices/{}': getService,
  'PUT microsoft.storage/storageaccounts/{}/fileservices/{}': putService,
  'GET microsoft.storage/storageaccounts/{}/fileservices/{}/shares': list,
  'GET microsoft.storage/storageaccounts/{}/fileservices/{}/shares/{}': get,
  'PUT microsoft.storage/storageaccounts/{}/fileservices/{}/shares/{}': put,
  'PATCH microsoft.storage/storageaccounts/{}/fileservices/{}/shares/{}': (request) => {
    const account = requireFiles(request);
    const share = requireShare(request, account);
    const asked = askedOf(request);
    change(request, share, asked);
    return ok(echo(account, share, asked));
  },
  'DELETE microsoft.storage/storageaccounts/{}/fileservices/{}/shares/{}': remove,
  'POST microsoft.storage/storageaccounts/{}/fileservices/{}/shares/{}/restore': restore,
};
