import { timeBoxed } from '../../azure/deadline.ts';
import { type BlastRadius, readBlastRadius } from '../../dependents/blast-radius.ts';
import type { ManagedKey } from '../../keys/managed-vaults.ts';
import { readSettings, type Settings } from '../../settings/settings.ts';
import type { Azure } from '../operator-azure.ts';

/** What the command line knows of the app, if anything: where its own storage is, and which subscriptions it looks after. */
export type AppEnvironment = Readonly<Record<string, string | undefined>>;

/**
 * What depends on a key, as the operator's sign-in sees it. Without the app's settings in the environment it is not
 * known whether the app's own storage is among it.
 *
 * @param ms how long to look at most
 */
export function blastRadiusOf(
  key: ManagedKey,
  azure: Azure,
  environment: AppEnvironment,
  ms: number,
): Promise<BlastRadius> {
  const settings = blastRadiusSettings(key, azure, environment);
  return timeBoxed((signal) => readBlastRadius(key, { ...azure, settings }, { signal }), ms);
}

/** The settings for looking at what depends on a key. The rest of them plays no part. */
export function blastRadiusSettings(key: ManagedKey, { cloud }: Azure, environment: AppEnvironment): Settings {
  const { AzureWebJobsStorage, AzureWebJobsStorage__accountName, CMK_SUBSCRIPTIONS } = environment;
  return readSettings({
    AZURE_CLOUD: cloud.name,
    CMK_VAULTS: `/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/any/providers/Microsoft.KeyVault/vaults/${key.vault.name}`,
    CMK_SUBSCRIPTIONS,
    // An account name of its own would be taken for the app's.
    AzureWebJobsStorage: AzureWebJobsStorage || (AzureWebJobsStorage__accountName ? undefined : 'unknown'),
    AzureWebJobsStorage__accountName,
  });
}
