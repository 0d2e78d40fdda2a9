import { CLOUDS } from '../azure/cloud.ts';

/** A key or a key version, parsed from its identifier. */
export interface KeyIdentifier {
  readonly kind: 'vault' | 'managedHsm';
  /** Lower case, because host names are case-insensitive. */
  readonly vaultName: string;
  /** `https://{name}.{suffix}`, lower case, without a port or a trailing slash. */
  readonly vaultUri: string;
  readonly keyName: string;
  /** 32 characters, lower case; undefined if the identifier names no version. */
  readonly version: string | undefined;
}

// Sources: Key Vault's "About keys, secrets and certificates" (object names 1–127 of [0-9A-Za-z-], versions 32
// characters) and its naming rules (vault names 3–24, letters, digits and hyphens, starting with a letter).
const KEY_PATH = /^\/keys\/([0-9A-Za-z-]{1,127})(?:\/([0-9A-Za-z]{32}))?\/?$/;
const VAULT_NAME = /^[a-z][a-z0-9-]{1,22}[a-z0-9]$/;

/**
 * Parses a key identifier of any cloud, Managed HSM included. The letter case of the host, the default port and a
 * trailing slash do not matter. Returns undefined for any other path or host, so that caller input never reaches
 * another host.
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

/** Parses a vault URI such as `https://kv-files.vault.azure.net/`, of a vault or a Managed HSM. */
export function parseVault(uri: string): Pick<KeyIdentifier, 'kind' | 'vaultName' | 'vaultUri'> | undefined {
  const vault = parseVaultUri(uri, false);
  return vault && { kind: vault.kind, vaultName: vault.vaultName, vaultUri: vault.vaultUri };
}

/** Whether two names of keys, or two identifiers as spelled, name the same key. Key Vault ignores letter case. */
export function isSameKeyName(a: string, b: string): boolean {
  return a.toLowerCase() === b.toLowerCase();
}

/** Whether a text contains only printable ASCII characters. */
export function isPlain(text: string): boolean {
  return /^[\x21-\x7e]*$/.test(text);
}

/**
 * `https://{vault}.{suffix}/keys/{name}[/{version}]` in lower case. Key Vault ignores letter case, so the app stores and
 * compares identifiers only in this form. Only names keep their spelling.
 */
export function formatKeyIdentifier(key: Pick<KeyIdentifier, 'vaultUri' | 'keyName'>, version?: string): string {
  return formatSpelledKeyIdentifier(key, version).toLowerCase();
}

/** The identifier with the spelling of the name: what the app writes to Azure, or shows as Key Vault's own. */
export function formatSpelledKeyIdentifier(key: Pick<KeyIdentifier, 'vaultUri' | 'keyName'>, version?: string): string {
  return `${key.vaultUri}/keys/${key.keyName}${version ? `/${version}` : ''}`;
}

/**
 * Formats an identifier as `kv-files/files-key`, with the version if present. Undefined if the identifier is invalid.
 */
export function formatIdentifier(identifier: string): string | undefined {
  const key = parseKeyIdentifier(identifier);
  return key && [key.vaultName, key.keyName, key.version ?? []].flat().join('/');
}

function parseVaultUri(
  text: string,
  withPath: boolean,
): (Pick<KeyIdentifier, 'kind' | 'vaultName' | 'vaultUri'> & { path: string }) | undefined {
  // URL() is lenient: it trims, folds backslashes, resolves `..` and decodes hosts. Reject any text that it would
  // change.
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
