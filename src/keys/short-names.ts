// Short names of resources, for the page and the command line. Runs in a browser: it imports nothing.

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
