import type { TokenCredential } from '@azure/identity';
import { z } from 'zod';
import type { Cloud } from '../azure/cloud.ts';
import { createArmLister } from '../azure/json-sender.ts';
import { LIMITS } from '../azure/limits.ts';
import type { ManagedVault } from '../keys/managed-vaults.ts';

export type VaultGuards = ReturnType<typeof createVaultGuards>;

/** Azure Monitor, "Diagnostic Settings - List": a setting selects logs by category or by category group. */
const SETTINGS = z.array(
  z.object({
    properties: z.object({
      logs: z
        .array(z.object({ category: z.string().nullish(), categoryGroup: z.string().nullish(), enabled: z.boolean() }))
        .nullish(),
    }),
  }),
);
/**
 * Key Vault's category for key operations, and the category groups that contain it (Azure Monitor, "Supported logs").
 */
const AUDIT = ['auditevent', 'audit', 'alllogs'];

/** Azure Resource Manager, "Management Locks - List By Scope". */
const LOCKS = z.array(z.object({ id: z.string(), properties: z.object({ level: z.string() }) }));

/** Guards of a vault in Azure Resource Manager: its audit log and its locks. Read its errors with `describeFailure`. */
export function createVaultGuards(credential: TokenCredential, cloud: Cloud) {
  const list = createArmLister(credential, cloud, LIMITS.resourceManager);

  /**
   * Lists the ARM ids of the locks on the vault or on a parent scope that prevent its deletion, and the deletion of role
   * assignments on it ("Lock your Azure resources").
   */
  const locksOf = async ({ id }: ManagedVault, signal?: AbortSignal): Promise<readonly string[]> => {
    const path = `${id}/providers/Microsoft.Authorization/locks`;
    const locks = LOCKS.parse(await list(path, { 'api-version': '2020-05-01' }, signal));
    // Azure also lists locks of child resources. A read-only lock prevents deletion as well.
    const binding = locks.filter((lock) => {
      const at = lock.id.slice(0, lock.id.toLowerCase().indexOf('/providers/microsoft.authorization/locks/'));
      return `${id}/`.toLowerCase().startsWith(`${at}/`.toLowerCase()) && lock.properties.level !== 'NotSpecified';
    });
    return binding.map((lock) => lock.id);
  };

  return {
    /** Whether a diagnostic setting exports the vault's audit log. */
    async sendsAuditLog({ id }: ManagedVault, signal?: AbortSignal): Promise<boolean> {
      const path = `${id}/providers/Microsoft.Insights/diagnosticSettings`;
      return SETTINGS.parse(await list(path, { 'api-version': '2021-05-01-preview' }, signal))
        .flatMap(({ properties }) => properties.logs ?? [])
        .some((log) => log.enabled && AUDIT.includes((log.category ?? log.categoryGroup ?? '').toLowerCase()));
    },
    locksOf,
    async isLocked(vault: ManagedVault, signal?: AbortSignal): Promise<boolean> {
      return (await locksOf(vault, signal)).length > 0;
    },
  };
}
