import type { TokenCredential } from '@azure/identity';
import { z } from 'zod';
import { createArmLister } from '../azure/arm-reader.ts';
import type { Cloud } from '../azure/cloud.ts';
import { type CallLimits, LIMITS } from '../azure/limits.ts';
import type { ManagedVault } from '../keys/managed-vaults.ts';

/** What stands around a vault in Azure Resource Manager. Errors are read with `describeFailure`. */
export interface VaultGuards {
  /** Whether a diagnostic setting sends the vault's audit log somewhere. */
  sendsAuditLog(vault: ManagedVault, signal?: AbortSignal): Promise<boolean>;
  /** Whether a lock on the vault, or on what it is in, keeps it from being deleted. */
  isLocked(vault: ManagedVault, signal?: AbortSignal): Promise<boolean>;
}

/** Azure Monitor, "Diagnostic Settings - List": a log is asked for by its category, or by a group of them. */
const SETTINGS = z.array(
  z.object({
    properties: z.object({
      logs: z
        .array(z.object({ category: z.string().nullish(), categoryGroup: z.string().nullish(), enabled: z.boolean() }))
        .nullish(),
    }),
  }),
);
/** Key Vault's log of what was done with keys, and the groups that it is in (Azure Monitor, "Supported logs"). */
const AUDIT = ['auditevent', 'audit', 'alllogs'];

/** Azure Resource Manager, "Management Locks - List By Scope". */
const LOCKS = z.array(z.object({ id: z.string(), properties: z.object({ level: z.string() }) }));

export function createVaultGuards(
  credential: TokenCredential,
  cloud: Cloud,
  limits: CallLimits = LIMITS.resourceManager,
): VaultGuards {
  const list = createArmLister(credential, cloud, limits);
  return {
    async sendsAuditLog({ id }, signal) {
      const path = `${id}/providers/Microsoft.Insights/diagnosticSettings`;
      return SETTINGS.parse(await list(path, { 'api-version': '2021-05-01-preview' }, signal))
        .flatMap(({ properties }) => properties.logs ?? [])
        .some((log) => log.enabled && AUDIT.includes((log.category ?? log.categoryGroup ?? '').toLowerCase()));
    },
    async isLocked({ id }, signal) {
      const path = `${id}/providers/Microsoft.Authorization/locks`;
      const locks = LOCKS.parse(await list(path, { 'api-version': '2020-05-01' }, signal));
      // Those of what is below the vault are listed too. A lock against writing is one against deleting as well.
      return locks.some((lock) => {
        const at = lock.id.slice(0, lock.id.toLowerCase().indexOf('/providers/microsoft.authorization/locks/'));
        return `${id}/`.toLowerCase().startsWith(`${at}/`.toLowerCase()) && lock.properties.level !== 'NotSpecified';
      });
    },
  };
}
