/** The parts of an Azure Resource Manager id of a resource (not of a nested one). */
export interface ResourceId {
  readonly id: string;
  readonly subscriptionId: string;
  readonly resourceGroup: string;
  /** {@link ACCOUNT_TYPE}, say, as written in the id. */
  readonly type: string;
  readonly name: string;
}

const RESOURCE_ID =
  /^\/subscriptions\/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\/resourceGroups\/([^/]+)\/providers\/([\w.]+\/\w+)\/([-\w.]{1,127})$/i;

/**
 * 1 to 90 letters and digits of any script, underscores, hyphens, periods and parentheses, without a period at the end
 * (Azure, "Naming rules and restrictions for Azure resources", Microsoft.Resources). A letter may be written with its
 * accent as a character of its own.
 */
export const RESOURCE_GROUP = /^[\p{L}\p{M}\p{N}_\-.()]{1,90}(?<!\.)$/u;

/**
 * Reads an ARM id, percent-encoded or not; the answer's is not. Undefined for anything that is not the id of a top-level
 * resource. ARM ids compare without letter case.
 */
export function parseResourceId(id: string): ResourceId | undefined {
  const plain = decoded(id);
  const match = plain === undefined ? undefined : RESOURCE_ID.exec(plain);
  if (plain === undefined || !match) return undefined;
  const [, subscriptionId = '', resourceGroup = '', type = '', name = ''] = match;
  if (name === '.' || name === '..' || !RESOURCE_GROUP.test(resourceGroup)) return undefined;
  return { id: plain, subscriptionId: subscriptionId.toLowerCase(), resourceGroup, type, name };
}

export const ACCOUNT_TYPE = 'Microsoft.Storage/storageAccounts';

/** Undefined for anything but the ARM id of a storage account. */
export function parseStorageAccountId(id: string): ResourceId | undefined {
  const parsed = parseResourceId(id);
  return parsed?.type.toLowerCase() === ACCOUNT_TYPE.toLowerCase() ? parsed : undefined;
}

export function lastName(id: string): string {
  return id.slice(id.lastIndexOf('/') + 1);
}

export function sameResource(a: string, b: string): boolean {
  return comparableId(a) === comparableId(b);
}

/** The same for the same resource: services change the letter case of ids that they are given, and some encode what is not ASCII. */
export function comparableId(id: string): string {
  return (decoded(id) ?? id).normalize('NFC').toLowerCase();
}

/** The ARM id of an encryption scope of a storage account. */
export function scopeResource(accountId: string, scope: string): string {
  return `${accountId}/encryptionScopes/${scope}`;
}

/** The account's ARM id in that of an encryption scope, and the scope's name; of any other id itself. */
export function splitScope(id: string): { readonly account: string; readonly scope?: string } {
  const [, account, scope] = /^(.*)\/encryptionScopes\/([^/]+)$/is.exec(id) ?? [];
  return account === undefined || scope === undefined ? { account: id } : { account, scope };
}

/** Storage accounts have names that are unique in all Azure, and are called by them; everything else is called by its id. */
export function accountNameOf(id: string): string {
  const { account, scope } = splitScope(id);
  const [, name] = /\/storageAccounts\/([^/]+)$/i.exec(account) ?? [];
  return name === undefined ? id : scope === undefined ? name : `${name}/${scope}`;
}

/** The id without a slash at its end, each segment decoded; undefined when decoding makes more segments, or fails. */
function decoded(id: string): string | undefined {
  const trimmed = id.replace(/\/$/, '');
  if (!trimmed.includes('%')) return trimmed;
  try {
    const segments = trimmed.split('/').map(decodeURIComponent);
    return segments.some((segment) => segment.includes('/')) ? undefined : segments.join('/');
  } catch {
    return undefined;
  }
}
