import { REASONS } from '../../src/errors/reasons.ts';
import type { KeySummary } from './api/types.ts';

/** As in `src/audit/record.ts`, whose import would add zod to the page. */
const EVERY_KEY = 'cmk-autopilot/keys';

/** The last part of an ARM id, or the id itself. */
export function shortId(id: string): string {
  return id.split('/').filter(Boolean).at(-1) ?? id;
}

/** Vault and key of `https://<vault>.<suffix>/keys/<key>`. */
export function keyNames(identifier: string): { readonly vault: string; readonly key: string } | undefined {
  const [, vault, key] = /^https:\/\/([^./]+)\.[^/]+\/keys\/([^/]+)/.exec(identifier) ?? [];
  return vault && key ? { vault, key } : undefined;
}

/** `kv-files/files-key` */
export function keyLabel(identifier: string): string {
  const names = keyNames(identifier);
  return names ? `${names.vault}/${names.key}` : identifier;
}

/** A short name of a resource: `kv-files/files-key`, `stfiles01/scope1`, `id-storage`. */
export function resourceLabel(id: string): string {
  if (id === EVERY_KEY) return 'all keys';
  const [, account, scope] = /\/storageAccounts\/([^/]+)\/encryptionScopes\/([^/]+)/i.exec(id) ?? [];
  if (account && scope) return `${account}/${scope}`;
  return keyNames(id) ? keyLabel(id) : shortId(id);
}

const IDS = /(?:\/subscriptions\/|https:\/\/[^\s/]+\/keys\/)[\w.\-/%()]*[\w%)]/gi;

/** A sentence of the API with short names instead of ARM ids and key identifiers, and short versions. */
export function withNames(text: string): string {
  return text.replace(IDS, resourceLabel).replace(/\b[\da-f]{32}\b/g, shortVersion);
}

/** The first eight characters of a version: enough to distinguish two. */
export function shortVersion(version: string): string {
  return version.slice(0, 8);
}

/** `12,345` */
export function digits(number: number): string {
  return number.toLocaleString('en');
}

export function count(number: number, one: string, many = `${one}s`): string {
  return `${digits(number)} ${number === 1 ? one : many}`;
}

/** `IdentityWithoutRole` as words: `Identity without role`. */
export function inWords(reason: string): string {
  const words = reason.replace(/([a-z])([A-Z])/g, '$1 $2').toLowerCase();
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/** A reason code as a sentence, or in words if it has none. */
export function reasonSentence(reason: string): string {
  return (REASONS as Readonly<Record<string, string>>)[reason] ?? `${inWords(reason)}.`;
}

/** The number of a key's users: `3 accounts, 1 scope`, or `at least 3 accounts` if some are unknown. */
export function usersOf({
  accounts,
  scopes,
  complete,
}: Pick<NonNullable<KeySummary['users']>, 'accounts' | 'scopes' | 'complete'>): string {
  const scoped = scopes > 0 ? `, ${count(scopes, 'scope')}` : '';
  return `${complete ? '' : 'at least '}${count(accounts, 'account')}${scoped}`;
}

const ROTATES_BY = {
  policy: "By Key Vault's rotation policy",
  app: 'By the app, near the expiry',
  person: 'By a person',
  none: 'None planned',
} as const;

/** What creates the next version of a key. */
export function rotatesBy(by: NonNullable<KeySummary['nextRotation']>['by']): string {
  return ROTATES_BY[by];
}
