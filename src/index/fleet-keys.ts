import { z } from 'zod';
import { parseStorageAccountId, type ResourceId } from '../azure/resource-id.ts';
import { formatKeyIdentifier, parseKeyIdentifier } from '../keys/key-identifier.ts';

/**
 * Encodes text for a table key. Table keys reject slashes, `#`, `?`, `%` and control characters ("Understanding the
 * Table service data model"). ARM's names and keys are case-insensitive; table keys are case-sensitive.
 */
export function encodeTableKey(text: string): string {
  return encodeURIComponent(text.normalize('NFC').toLowerCase()).replaceAll("'", '%27').replaceAll('%', '=');
}

/** Key identifier without a version. */
export const KEY_ID = z
  .string()
  .max(300)
  .transform((id, context) => {
    const key = parseKeyIdentifier(id);
    if (key && !key.version) return formatKeyIdentifier(key);
    context.addIssue('This is not the identifier of a key.');
    return z.NEVER;
  });

/** ARM id of a storage account: its group has at most 90 characters. */
export const ACCOUNT_ID = z
  .string()
  .max(400)
  .refine((id) => parseStorageAccountId(id) !== undefined);

/** Partition of a key: its vault's host and its name. */
export function formatKeyPartition(key: string): string {
  const parsed = parseKeyIdentifier(key);
  if (!parsed) throw new TypeError(`${key} is not a key identifier.`);
  return `key|${encodeTableKey(new URL(parsed.vaultUri).hostname)}|${encodeTableKey(parsed.keyName)}`;
}

export function formatSubscriptionPartition(subscriptionId: string): string {
  return `account|${encodeTableKey(subscriptionId)}`;
}

/** Row of an account. An account's name is unique in Azure and survives a move to another resource group. */
export function formatAccountRow(account: string, scope?: string): string {
  const { subscriptionId, name } = parseAccountId(account);
  const row = `${subscriptionId}|${encodeTableKey(name)}`;
  return scope === undefined ? row : `${row}|${encodeTableKey(scope)}`;
}

/**
 * Returns whether the app moves a use. A use in an unmanaged or disabled subscription stays in the index, so that no
 * operator retires its version. Rollouts ignore the use.
 *
 * @param subscriptions managed subscriptions; undefined counts every use
 */
export function selectManagedUses(
  subscriptions: readonly string[] | undefined,
): (use: { readonly account: string }) => boolean {
  if (!subscriptions) return () => true;
  const ids = new Set(subscriptions.map((id) => id.toLowerCase()));
  return ({ account }) => ids.has(parseStorageAccountId(account)?.subscriptionId ?? '');
}

/** @throws TypeError unless the text is the ARM id of a storage account */
export function parseAccountId(account: string): ResourceId {
  const parsed = parseStorageAccountId(account);
  if (!parsed) throw new TypeError(`${account} is not the ARM id of a storage account.`);
  return parsed;
}
