import type { Cloud } from '../azure/cloud.ts';
import { isSameResource, parseResourceId } from '../azure/resource-id.ts';
import {
  formatKeyIdentifier,
  formatSpelledKeyIdentifier,
  isPlain,
  isSameKeyName,
  type KeyIdentifier,
  parseKeyIdentifier,
  parseVault,
} from './key-identifier.ts';

/** A key vault or Managed HSM that the app manages: an entry of `CMK_VAULTS`. */
export interface ManagedVault {
  /** ARM id, as configured. */
  readonly id: string;
  readonly subscriptionId: string;
  readonly resourceGroup: string;
  /** Lower case. */
  readonly name: string;
  readonly kind: 'vault' | 'managedHsm';
  /** `https://{name}.{suffix}`, lower case, without a trailing slash. */
  readonly uri: string;
}

/** A key in a managed vault. The app calls Key Vault for no other keys. */
export interface ManagedKey {
  readonly vault: ManagedVault;
  /** As the caller, the event or Key Vault spells it. */
  readonly name: string;
  /** Identifier without a version, in lower case: two keys are the same if their ids are equal. */
  readonly id: string;
}

/** The managed vaults. The app matches all input of events and callers against them before it calls Azure. */
export class ManagedVaults {
  readonly all: readonly ManagedVault[];

  constructor(vaults: readonly ManagedVault[]) {
    this.all = vaults;
  }

  byId(armId: string): ManagedVault | undefined {
    return this.all.find((vault) => isSameResource(vault.id, armId));
  }

  byName(name: string): ManagedVault | undefined {
    // A character outside ASCII may become a letter in lower case, as the kelvin sign does.
    return isPlain(name) ? this.all.find((vault) => vault.name === name.toLowerCase()) : undefined;
  }

  byUri(uri: string): ManagedVault | undefined {
    const parsed = parseVault(uri);
    return parsed && this.all.find((vault) => vault.uri === parsed.vaultUri);
  }

  /** The managed key of a key identifier, with or without a version. Undefined in an unmanaged vault. */
  key(identifier: string): ManagedKey | undefined {
    const parsed = parseKeyIdentifier(identifier);
    const vault = parsed && this.all.find((candidate) => candidate.uri === parsed.vaultUri);
    return vault && createManagedKey(vault, parsed.keyName);
  }

  /** The managed key that an account or an encryption scope uses. */
  keyOf(use: Pick<KeyIdentifier, 'vaultUri' | 'keyName'>): ManagedKey | undefined {
    return this.key(formatSpelledKeyIdentifier(use));
  }
}

export function createManagedKey(vault: ManagedVault, name: string): ManagedKey {
  return { vault, name, id: formatKeyIdentifier({ vaultUri: vault.uri, keyName: name }) };
}

/**
 * Returns the key with Key Vault's spelling. Key names ignore letter case, but operators and logs should use one
 * spelling. Unchanged if `versions` is empty.
 */
export function withSpelling(key: ManagedKey, versions: readonly { readonly keyName: string }[]): ManagedKey {
  const spelled = versions[0]?.keyName;
  return spelled !== undefined && isSameKeyName(spelled, key.name) ? createManagedKey(key.vault, spelled) : key;
}

/** The vault of an ARM id of `Microsoft.KeyVault/vaults` or `…/managedHSMs`. Undefined for any other id. */
export function parseManagedVault(armId: string, cloud: Cloud): ManagedVault | undefined {
  const parsed = parseResourceId(armId);
  const type = parsed?.type.toLowerCase();
  if (!parsed || (type !== 'microsoft.keyvault/vaults' && type !== 'microsoft.keyvault/managedhsms')) return undefined;
  const kind = type === 'microsoft.keyvault/vaults' ? 'vault' : 'managedHsm';
  const suffix = kind === 'vault' ? cloud.keyVaultSuffix : cloud.managedHsmSuffix;
  const vault = parseVault(`https://${parsed.name}.${suffix}`);
  if (!vault) return undefined;
  const { id, subscriptionId, resourceGroup } = parsed;
  return { id, subscriptionId, resourceGroup, name: vault.vaultName, kind, uri: vault.vaultUri };
}
