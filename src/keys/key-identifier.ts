import { CLOUDS } from '../azure/cloud.ts';

/** A key, or one version of it, as its identifier names it. */
export interface KeyIdentifier {
  readonly kind: 'vault' | 'managedHsm';
  /** Lower case: host names have none. */
  readonly vaultName: string;
  /** `https://{name}.{suffix}`, lower case, without a port or a trailing slash. */
  readonly vaultUri: string;
  readonly keyName: string;
  /** 32 characters, lower case; undefined in an identifier without a version. */
  readonly version: string | undefined;
}

// Sources: Key Vault's "About keys, secrets and certificates" (object names 1–127 of [0-9A-Za-z-], versions 32
// characters) and its naming rules (vault names 3–24, letters, digits and hyphens, starting with a letter).
const KEY_PATH = /^\/keys\/([0-9A-Za-z-]{1,127})(?:\/([0-9A-Za-z]{32}))?\/?$/;
const VAULT_NAME = /^[a-z][a-z0-9-]{1,22}[a-z0-9]$/;

/**
 * Reads a key identifier of any cloud, Managed HSM included. Letter case of the host, the default port and a trailing
 * slash do not matter; everything that is not exactly `/keys/{name}` or `/keys/{name}/{version}` on a Key Vault host is
 * undefined, so that nothing a caller supplies becomes a host name or a path by accident.
 */
export function parseKeyIdentifier(text: string): KeyIdentifier | undefined {
  const vault = parseVaultUri(text, true);
  if (!vault) return undefined;
  const match = KEY_PATH.exec(vault.path);
  const keyName = match?.[1];
  if (!match || !keyName) return undefined;
  const { path: _, ...rest } = vault;
  return { ...rest, keyName, version: match[2]?.toLowerCase() };
}

/** The vault (or Managed HSM) of a vault URI such as `https://kv-files.vault.azure.net/`. */
export function parseVault(uri: string): Pick<KeyIdentifier, 'kind' | 'vaultName' | 'vaultUri'> | undefined {
  const vault = parseVaultUri(uri, false);
  return vault && { kind: vault.kind, vaultName: vault.vaultName, vaultUri: vault.vaultUri };
}

/** Whether two key names are the same key of one vault: Key Vault compares them without letter case. */
export function sameKeyName(a: string, b: string): boolean {
  return a.toLowerCase() === b.toLowerCase();
}

/** Whether a text has ASCII's letters, digits and signs alone. */
export function isPlain(text: string): boolean {
  return /^[\x21-\x7e]*$/.test(text);
}

/** `https://{vault}.{suffix}/keys/{name}[/{version}]`. */
export function formatKeyIdentifier(key: Pick<KeyIdentifier, 'vaultUri' | 'keyName'>, version?: string): string {
  return `${key.vaultUri}/keys/${key.keyName}${version ? `/${version}` : ''}`;
}

/** `kv-files/files-key` of an identifier, with the version behind it where it has one; undefined: it is none. */
export function nameOfIdentifier(identifier: string): string | undefined {
  const key = parseKeyIdentifier(identifier);
  return key && [key.vaultName, key.keyName, key.version ?? []].flat().join('/');
}

function parseVaultUri(
  text: string,
  withPath: boolean,
): (Pick<KeyIdentifier, 'kind' | 'vaultName' | 'vaultUri'> & { path: string }) | undefined {
  // URL() is lenient (it trims, folds backslashes, resolves `..`, decodes hosts, folds letters), so only what survives it unchanged counts.
  if (!isPlain(text) || /[\\%@?#]|\/\.{1,2}(?:\/|$)/.test(text)) return undefined;
  if (!URL.canParse(text)) return undefined;
  const url = new URL(text);
  if (url.protocol !== 'https:' || url.port !== '' || url.username !== '' || url.password !== '') return undefined;
  if (!withPath && url.pathname !== '/') return undefined;
  const dot = url.hostname.indexOf('.');
  const vaultName = url.hostname.slice(0, dot);
  const suffix = url.hostname.slice(dot + 1);
  const kind = kindOfSuffix(suffix);
  if (!kind || !VAULT_NAME.test(vaultName) || vaultName.includes('--')) return undefined;
  return { kind, vaultName, vaultUri: `https://${vaultName}.${suffix}`, path: url.pathname };
}

function kindOfSuffix(suffix: string): KeyIdentifier['kind'] | undefined {
  if (CLOUDS.some((cloud) => cloud.keyVaultSuffix === suffix)) return 'vault';
  if (CLOUDS.some((cloud) => cloud.managedHsmSuffix === suffix)) return 'managedHsm';
  return undefined;
}
