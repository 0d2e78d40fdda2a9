/** Parts of the ARM id of a top-level resource. */
export interface ResourceId {
  readonly id: string;
  readonly subscriptionId: string;
  readonly resourceGroup: string;
  /** Type as written in the id, for instance {@link ACCOUNT_TYPE}. */
  readonly type: string;
  readonly name: string;
}

const RESOURCE_ID =
  /^\/subscriptions\/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\/resourceGroups\/([^/]+)\/providers\/([\w.]+\/\w+)\/([-\w.]{1,127})$/i;

/**
 * 1 to 90 letters and digits of any script, underscores, hyphens, periods and parentheses, without a final period
 * (Azure, "Naming rules and restrictions for Azure resources", Microsoft.Resources). The accent of a letter may be a
 * separate character.
 */
export const RESOURCE_GROUP = /^[\p{L}\p{M}\p{N}_\-.()]{1,90}(?<!\.)$/u;

/**
 * Parses an ARM id, percent-encoded or not, into decoded parts. Undefined for any other text and for nested resources.
 * ARM ids are case-insensitive.
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

/** Parses the ARM id of a storage account; undefined for any other text. */
export function parseStorageAccountId(id: string): ResourceId | undefined {
  const parsed = parseResourceId(id);
  return parsed?.type.toLowerCase() === ACCOUNT_TYPE.toLowerCase() ? parsed : undefined;
}

export function getLastName(id: string): string {
  return id.slice(id.lastIndexOf('/') + 1);
}

export function isSameResource(a: string, b: string): boolean {
  return toComparableId(a) === toComparableId(b);
}

/**
 * Normalizes an ARM id for comparison: services change the letter case of ids, and some encode non-ASCII characters.
 */
export function toComparableId(id: string): string {
  return (decoded(id) ?? id).normalize('NFC').toLowerCase();
}

/** ARM id of an encryption scope of a storage account. */
export function formatScopeId(accountId: string, scope: string): string {
  return `${accountId}/encryptionScopes/${scope}`;
}

/** Splits the ARM id of an encryption scope into account id and scope name; returns any other id unchanged. */
export function splitScope(id: string): { readonly account: string; readonly scope?: string } {
  const [, account, scope] = /^(.*)\/encryptionScopes\/([^/]+)$/is.exec(id) ?? [];
  return account === undefined || scope === undefined ? { account: id } : { account, scope };
}

/** Name of a storage account, which is unique in all Azure; the id of any other resource. */
export function getAccountName(id: string): string {
  const { account, scope } = splitScope(id);
  const [, name] = /\/storageAccounts\/([^/]+)$/i.exec(account) ?? [];
  if (name === undefined) return id;
  return scope === undefined ? name : `${name}/${scope}`;
}

/** Decodes each segment of the id, without a trailing slash; undefined if decoding fails or adds segments. */
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
