import { parseStorageAccountId, type ResourceId } from '../azure/resource-id.ts';
import { parseKeyIdentifier } from '../keys/key-identifier.ts';

/**
 * Text as part of a table's key, which takes neither slashes, `#`, `?`, `%` nor control characters ("Understanding the Table
 * service data model"). ARM's names and keys are case-insensitive, and rows are not.
 */
export function encoded(text: string): string {
  return encodeURIComponent(text.normalize('NFC').toLowerCase()).replaceAll("'", '%27').replaceAll('%', '=');
}

/** Of a key: its vault's host, and its name. */
export function keyPartition(key: string): string {
  const parsed = parseKeyIdentifier(key);
  if (!parsed) throw new TypeError(`${key} is not a key identifier.`);
  return `key|${encoded(new URL(parsed.vaultUri).hostname)}|${encoded(parsed.keyName)}`;
}

export function subscriptionPartition(subscriptionId: string): string {
  return `account|${encoded(subscriptionId)}`;
}

/** The name of an account is unique in all of Azure, and it keeps it where it is moved to another resource group. */
export function accountRow(account: string, scope?: string): string {
  const { subscriptionId, name } = accountId(account);
  const row = `${subscriptionId}|${encoded(name)}`;
  return scope === undefined ? row : `${row}|${encoded(scope)}`;
}

/**
 * Whether the app moves a use. A use in a subscription that `CMK_SUBSCRIPTIONS` does not name any more, or that is disabled,
 * stays in the index, as its version must not be retired; but no rollout waits for it.
 *
 * @param subscriptions managed subscriptions; undefined: not known, and every use counts
 */
export function inManagedSubscriptions(
  subscriptions: readonly string[] | undefined,
): (use: { readonly account: string }) => boolean {
  if (!subscriptions) return () => true;
  const ids = new Set(subscriptions.map((id) => id.toLowerCase()));
  return ({ account }) => ids.has(parseStorageAccountId(account)?.subscriptionId ?? '');
}

/** @throws TypeError for anything but the ARM id of a storage account */
export function accountId(account: string): ResourceId {
  const parsed = parseStorageAccountId(account);
  if (!parsed) throw new TypeError(`${account} is not the ARM id of a storage account.`);
  return parsed;
}
