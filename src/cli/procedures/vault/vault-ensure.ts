import type { Cloud } from '../../../azure/cloud.ts';
import { readUnless } from '../../../azure/failure.ts';
import { renderCommandOr } from '../../../azure/shell-command.ts';
import { CmkError } from '../../../errors/errors.ts';
import { ManagedVaults, parseManagedVault } from '../../../keys/managed-vaults.ts';
import type { Environment } from '../../../settings/settings.ts';
import { findStorageHindrance, type Vault } from '../../../vaults/vault-client.ts';
import { formatLetStorageIn, formatProtectVault } from '../../../vaults/vault-commands.ts';
import type { Operation } from '../operator-azure.ts';
import { lookUpVault, resolvePlace, VAULT_TYPE, type Where } from '../resolve.ts';

interface WantedVault extends Where {
  readonly name: string;
  /** Needed only to create the vault. */
  readonly location?: string | undefined;
  readonly sku?: 'standard' | 'premium' | undefined;
  /** Where to create the vault; undefined: where it is searched. */
  readonly create?: Where | undefined;
}

/** A vault; `planned` if a dry run would create it. */
type EnsuredVault = Vault & { readonly planned?: boolean };

/**
 * Creates a key vault with soft delete and purge protection, which Storage requires, or enables both on an existing
 * vault.
 *
 * @returns the vault; in a dry run, the planned vault
 */
export async function ensureVault(wanted: WantedVault, operation: Operation): Promise<EnsuredVault> {
  const { azure, journal } = operation;
  const found = await lookUpVault(wanted.name, azure, wanted);
  if (!found) return createVault(wanted, operation);

  journal.found(`vault ${found.name} in ${found.resourceGroup} (${found.location})`);

  if (found.kind === 'managedHsm') {
    // Only its administrator may enable purge protection.
    if (!isProtected(found)) throw createUnprotected(found);
    journal.found('the Managed HSM has purge protection and soft delete');
    return found;
  }

  if (found.accessModel !== 'rbac') {
    journal.note(
      `${found.name} uses access policies instead of Azure RBAC: policies, not roles, grant access to its keys.`,
    );
  }

  if (wanted.sku === 'premium' && found.sku !== 'premium') {
    journal.note(
      `${found.name} stays a standard vault: for keys in hardware create a premium vault under another name.`,
    );
  }

  if (isProtected(found)) {
    journal.found('purge protection and soft delete are on');
    return found;
  }

  const text = `purge protection of ${found.name} turned on; it cannot be turned off again`;
  const change = { text, action: 'vault.protect', resource: found.id } as const;

  return (await journal.change(change, () => azure.vaults.protect(found))) ?? found;
}

const isProtected = ({ purgeProtection, softDelete }: Vault): boolean => purgeProtection && softDelete;

/** Returns the error for a vault whose keys Storage does not accept. */
export function createUnprotected(vault: Vault): CmkError {
  const isHsm = vault.kind === 'managedHsm';
  return new CmkError(
    'PurgeProtectionOff',
    `The ${isHsm ? 'Managed HSM' : 'vault'} ${vault.name} has no purge protection, which Storage requires.`,
    `Turn it on (it cannot be turned off again): ${isHsm ? renderCommandOr(formatProtectVault(vault), 'az keyvault update-hsm --enable-purge-protection') : `cmk vault ensure ${vault.name}`}`,
  );
}

async function createVault(wanted: WantedVault, { azure, journal }: Operation): Promise<EnsuredVault> {
  const { name, sku = 'standard', create: place = wanted } = wanted;
  const asked = { ...place, location: wanted.location };
  const { id, location } = await resolvePlace('vault', VAULT_TYPE, name, asked, azure);

  // An operator without the right to check gets Azure's conflict from the creation.
  if (await readUnless('forbidden', () => azure.vaults.isDeleted(id.subscriptionId, name, location))) {
    throw new CmkError(
      'NameTaken',
      `A vault ${name} was deleted and can still be recovered: its name is unavailable until the vault is purged.`,
      `Recover it with \`az keyvault recover --name ${name}\`, or choose another name. Recovery does not restore its role assignments.`,
    );
  }

  const { tenantId } = await azure.operator();
  const text = `vault ${name} created in ${id.resourceGroup} (${location}), with purge protection and Azure RBAC`;
  const created = await journal.change({ text, action: 'vault.create', resource: id.id }, () =>
    azure.vaults.create(id, { location, tenantId, sku }),
  );
  if (created) return created;

  const uri = `https://${name.toLowerCase()}.${azure.cloud.keyVaultSuffix}/`;
  const network = { publicAccess: 'enabled', allowsOthers: true, allowsTrustedServices: true } as const;

  return {
    ...id,
    kind: 'vault',
    location,
    uri,
    tenantId,
    sku,
    accessModel: 'rbac',
    policies: [],
    network,
    softDelete: true,
    purgeProtection: true,
    planned: true,
  };
}

/** Notes, once and before the first change, settings of a vault that will cause failures later. */
export function noteVault(vault: Vault, { azure, journal, environment }: Operation): void {
  const notes: string[] = [];
  const managed = findAppVaults(environment, azure.cloud);
  if (managed && !managed.byId(vault.id)) {
    notes.push(
      `${vault.name} is not among CMK_VAULTS: the app does not manage its keys, and moves no account that uses them.`,
    );
  }

  const hindrance = findStorageHindrance(vault.network);
  if (hindrance) {
    const command = renderCommandOr(formatLetStorageIn(vault), 'az keyvault update --bypass AzureServices');
    notes.push(`${vault.name}: ${hindrance.is}${hindrance.certain ? ` Allow them: ${command}` : ''}`);
  }

  for (const text of notes) {
    if (!journal.entries.some((entry) => entry.text === text)) journal.note(text);
  }
}

/** The vaults that the app manages, if the operator's environment names them; undefined: unknown. */
export function findAppVaults(environment: Environment | undefined, cloud: Cloud): ManagedVaults | undefined {
  const named = (environment?.CMK_VAULTS ?? '').split(/[\s,;]+/).filter((one) => one !== '');
  return named.length > 0 ? new ManagedVaults(named.flatMap((id) => parseManagedVault(id, cloud) ?? [])) : undefined;
}
