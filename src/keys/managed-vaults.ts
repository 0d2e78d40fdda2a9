import type { Cloud } from '../azure/cloud.ts';
import { parseResourceId, sameResource } from '../azure/resource-id.ts';
import {
  formatKeyIdentifier,
  isPlain,
  type KeyIdentifier,
  parseKeyIdentifier,
  parseVault,
  sameKeyName,
} from './key-identifier.ts';

/** A key vault (or Managed HSM) that this app looks after: one of `CMK_VAULTS`. */
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

/** A key in a managed vault: the only kind of key the app asks Key Vault about. */
export interface ManagedKey {
  readonly vault: ManagedVault;
  readonly name: string;
  /** Identifier without a version. */
  readonly id: string;
}

/** The managed vaults. Whatever an event or a caller supplies is matched against them before it is used. */
export class ManagedVaults {
  readonly all: readonly ManagedVault[];

  constructor(vaults: readonly ManagedVault[]) {
    this.all = vaults;
  }

  byId(armId: string): ManagedVault | undefined {
    return this.all.find((vault) => sameResource(vault.id, armId));
  }

  byName(name: string): ManagedVault | undefined {
    // A sign outside of ASCII may become a letter in lower case: the kelvin sign does.
    return isPlain(name) ? this.all.find((vault) => vault.name === name.toLowerCase()) : undefined;
  }

  byUri(uri: string): ManagedVault | undefined {
    const parsed = parseVault(uri);
    return parsed && this.all.find((vault) => vault.uri === parsed.vaultUri);
  }

  /** The managed key that a key identifier (with or without a version) names; undefined in an unmanaged vault. */
  key(identifier: string): ManagedKey | undefined {
    const parsed = parseKeyIdentifier(identifier);
    const vault = parsed && this.all.find((candidate) => candidate.uri === parsed.vaultUri);
    return vault && managedKey(vault, parsed.keyName);
  }

  /** Likewise of the key that an account or an encryption scope uses. */
  keyOf(use: Pick<KeyIdentifier, 'vaultUri' | 'keyName'>): ManagedKey | undefined {
    return this.key(formatKeyIdentifier(use));
  }
}

export function managedKey(vault: ManagedVault, name: string): ManagedKey {
  return { vault, name, id: formatKeyIdentifier({ vaultUri: vault.uri, keyName: name }) };
}

/**
 * The key as Key Vault spells it: names ignore letter case, and people and logs should see one spelling. Unchanged when no
 * version is known.
 */
export function asSpelled(key: ManagedKey, versions: readonly { readonly id: string }[]): ManagedKey {
  const spelled = parseKeyIdentifier(versions[0]?.id ?? '')?.keyName;
  return spelled !== undefined && sameKeyName(spelled, key.name) ? managedKey(key.vault, spelled) : key;
}

/** The vault of an ARM id of `Microsoft.KeyVault/vaults` or `…/managedHSMs`; undefined for any other id. */
export function managedVault(armId: string, cloud: Cloud): ManagedVault | undefined {
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
