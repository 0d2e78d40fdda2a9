import { asObject } from '../json.ts';
import { timestamp } from '../timestamp.ts';
import type { FileShare, StorageAccount } from '../world.ts';
import { type ArmRequest, type ArmRoutes, nameAt, ok } from './arm-request.ts';
import { ArmError, badRequest } from './errors.ts';
import { page } from './paging.ts';
import { requireAccount } from './storage-accounts.ts';

const shareType = 'Microsoft.Storage/storageAccounts/fileServices/shares';

function shareBody(account: StorageAccount, share: FileShare, nowMs: number): Record<string, unknown> {
  return {
    id: `${account.id}/fileServices/default/shares/${share.name}`,
    name: share.name,
    type: shareType,
    etag: `"0x${Buffer.from(share.name).toString('hex').slice(0, 15).toUpperCase()}"`,
    properties: {
      accessTier: 'TransactionOptimized',
      lastModifiedTime: timestamp(nowMs),
      shareQuota: share.shareQuota,
      enabledProtocols: share.enabledProtocols,
      leaseStatus: 'unlocked',
      leaseState: 'available',
    },
  };
}

function put(request: ArmRequest): Response {
  const account = requireAccount(request);
  const name = nameAt(request, 2);
  if (!/^[a-z0-9](?:-?[a-z0-9]){2,62}$/.test(name))
    throw badRequest(`'${name}' is not a valid share name.`, 'InvalidResourceName');
  const asked = asObject(request.body.properties) ?? {};
  const existing = account.fileShares.get(name);
  const share: FileShare = {
    name,
    enabledProtocols: asked.enabledProtocols === 'NFS' ? 'NFS' : (existing?.enabledProtocols ?? 'SMB'),
    shareQuota: typeof asked.shareQuota === 'number' ? asked.shareQuota : (existing?.shareQuota ?? 5120),
    files: existing?.files ?? [],
  };
  account.fileShares.set(name, share);
  return ok(shareBody(account, share, request.world.clock.nowMs()), existing ? 200 : 201);
}

/** The file service of a storage account, as far as ARM manages it. */
export const fileShareRoutes: ArmRoutes = {
  'GET microsoft.storage/storageaccounts/{}/fileservices/{}': (request) => {
    const account = requireAccount(request);
    return ok({
      sku: account.sku,
      id: `${account.id}/fileServices/default`,
      name: 'default',
      type: 'Microsoft.Storage/storageAccounts/fileServices',
      properties: {
        protocolSettings: { smb: {} },
        cors: { corsRules: [] },
        shareDeleteRetentionPolicy: { enabled: true, days: 7 },
      },
    });
  },
  'GET microsoft.storage/storageaccounts/{}/fileservices/{}/shares': (request) => {
    const account = requireAccount(request);
    const size = Number(request.query.get('$maxpagesize') ?? 5000) || 5000;
    const nowMs = request.world.clock.nowMs();
    return ok(page(request, [...account.fileShares.values()], size, (share) => shareBody(account, share, nowMs)));
  },
  'GET microsoft.storage/storageaccounts/{}/fileservices/{}/shares/{}': (request) => {
    const account = requireAccount(request);
    const share = account.fileShares.get(nameAt(request, 2));
    if (!share) throw new ArmError(404, 'ShareNotFound', 'The specified share does not exist.');
    return ok(shareBody(account, share, request.world.clock.nowMs()));
  },
  'PUT microsoft.storage/storageaccounts/{}/fileservices/{}/shares/{}': put,
};
