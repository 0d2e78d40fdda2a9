import type { Cloud } from '../azure/cloud.ts';
import { ManagedVaults, managedVault } from '../keys/managed-vaults.ts';
import type { Environment } from '../settings/settings.ts';

/** The vaults that the app looks after, where the operator's environment names them; undefined: it is not known which. */
export function appVaults(environment: Environment | undefined, cloud: Cloud): ManagedVaults | undefined {
  const named = (environment?.CMK_VAULTS ?? '').split(/[\s,;]+/).filter((one) => one !== '');
  return named.length > 0 ? new ManagedVaults(named.flatMap((id) => managedVault(id, cloud) ?? [])) : undefined;
}
