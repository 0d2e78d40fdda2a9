import { unless } from '../../azure/failure.ts';
import { commandOr } from '../../azure/shell-command.ts';
import { CmkError } from '../../errors.ts';
import type { Vault } from '../../vaults/vault-client.ts';
import { protectVault } from '../../vaults/vault-commands.ts';
import type { Operation } from '../operator-azure.ts';
import { lookForVault, placeToCreate, resourceId, VAULT_TYPE, type Where } from '../resolve.ts';

interface WantedVault extends Where {
  readonly name: string;
  /** Only needed to create it. */
  readonly location?: string | undefined;
  readonly sku?: 'standard' | 'premium' | undefined;
  /** Where to create it, when that is elsewhere than where it is looked for. */
  readonly create?: Where | undefined;
}

/** A vault; `planned` when a dry run would create it. */
type EnsuredVault = Vault & { readonly planned?: boolean };

/**
 * Makes sure of a key vault that Storage takes keys from: one with soft delete and purge protection. Creates it, or turns
 * them on for one that is there.
 *
 * @returns the vault; in a dry run, one that is to be created as it would be
 */
export async function ensureVault(wanted: WantedVault, operation: Operation): Promise<EnsuredVault> {
  const { azure, journal } = operation;
  const found = await lookForVault(wanted.name, azure, wanted);
  if (!found) return createVault(wanted, operation);
  journal.found(`vault ${found.name} in ${found.resourceGroup} (${found.location})`);
  if (found.kind === 'managedHsm') {
    // Its administrator sets it up.
    if (!isProtected(found)) throw unprotected(found);
    journal.found('it is a Managed HSM; purge protection and soft delete are on');
    return found;
  }
  if (found.accessModel !== 'rbac') {
    journal.note(
      `${found.name} has access policies instead of role-based access: who may use its keys is said by policies, not roles.`,
    );
  }
  if (wanted.sku === 'premium' && found.sku !== 'premium') {
    journal.note(
      `${found.name} is a standard vault and stays one: for keys in hardware make a premium one under another name.`,
    );
  }
  if (isProtected(found)) {
    journal.found('purge protection and soft delete are on');
    return found;
  }
  const text = `purge protection of ${found.name} turned on; it cannot be turned off again`;
  const id = resourceId(found.subscriptionId, found.resourceGroup, VAULT_TYPE, found.name);
  const change = { text, action: 'vault.protect', resource: id.id } as const;
  return (await journal.change(change, () => azure.vaults.protect(id))) ?? found;
}

const isProtected = ({ purgeProtection, softDelete }: Vault): boolean => purgeProtection && softDelete;

/** Storage takes no keys from such a vault. */
export function unprotected(vault: Vault): CmkError {
  const isHsm = vault.kind === 'managedHsm';
  return new CmkError(
    'PurgeProtectionOff',
    `The ${isHsm ? 'Managed HSM' : 'vault'} ${vault.name} has no purge protection, and Storage takes no keys from such a one.`,
    `Turn it on (it cannot be turned off again): ${isHsm ? commandOr(protectVault(vault), 'az keyvault update-hsm --enable-purge-protection') : `cmk vault ensure ${vault.name}`}`,
  );
}

async function createVault(wanted: WantedVault, { azure, journal }: Operation): Promise<EnsuredVault> {
  const { name, sku = 'standard', create: place = wanted } = wanted;
  const asked = { ...place, location: wanted.location };
  const { id, location } = await placeToCreate('vault', VAULT_TYPE, name, asked, azure);
  // An operator without the right to check gets Azure's conflict from the creation.
  if (await unless('forbidden', () => azure.vaults.isDeleted(id.subscriptionId, name, location))) {
    throw new CmkError(
      'NameTaken',
      `A vault ${name} was deleted and can still be recovered; until it is purged its name is taken.`,
      `Recover it with \`az keyvault recover --name ${name}\`, or choose another name. Its role assignments do not come back.`,
    );
  }
  const { tenantId } = await azure.operator();
  const text = `vault ${name} created in ${id.resourceGroup} (${location}), with purge protection and role-based access`;
  const created = await journal.change({ text, action: 'vault.create', resource: id.id }, () =>
    azure.vaults.create(id, { location, tenantId, sku }),
  );
  if (created) return created;
  const uri = `https://${name.toLowerCase()}.${azure.cloud.keyVaultSuffix}/`;
  const network = { publicAccess: 'enabled', allowsOthers: true, allowsTrustedServices: true } as const;
  return {
    ...{ ...id, kind: 'vault', location, uri, tenantId, sku, accessModel: 'rbac', policies: [], network },
    ...{ softDelete: true, purgeProtection: true, planned: true },
  };
}
