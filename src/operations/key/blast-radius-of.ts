import { timeBoxed } from '../../azure/deadline.ts';
import { type BlastRadius, readBlastRadius } from '../../dependents/blast-radius.ts';
import type { ManagedKey } from '../../keys/managed-vaults.ts';
import { type Environment, type LookSettings, readLookSettings } from '../../settings/settings.ts';
import type { Azure } from '../operator-azure.ts';

/**
 * What depends on a key, as the operator's sign-in sees it. Without the app's settings in the environment it is not
 * known whether the app's own storage is among it.
 *
 * @param ms how long to look at most
 */
export function blastRadiusOf(
  key: ManagedKey,
  azure: Azure,
  environment: Environment,
  ms: number,
): Promise<BlastRadius> {
  const settings = lookSettings(azure, environment);
  return timeBoxed((signal) => readBlastRadius(key, { ...azure, settings }, { signal }), ms);
}

/** The settings for looking at what depends on a key. */
export function lookSettings({ cloud }: Azure, environment: Environment): LookSettings {
  return readLookSettings({ ...environment, AZURE_CLOUD: cloud.name });
}
