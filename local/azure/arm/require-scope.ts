import type { World } from '../world.ts';
import type { ArmPath } from './arm-path.ts';
import { parseArmPath } from './arm-path.ts';
import { resourceNotFound } from './errors.ts';

/**
 * Throws ARM's 404 if the resource that an extension resource belongs to does not exist. The ARM service has checked
 * subscription and group by then. A type that the local Azure does not serve always passes.
 */
export function requireScope(world: World, { scope, resourceGroup }: ArmPath): void {
  const target = parseArmPath(scope);
  const name = target?.names[0] ?? '';

  const [type, exists] = ((): [string, boolean] => {
    switch (target?.pattern) {
      case 'microsoft.keyvault/vaults/{}':
      case 'microsoft.keyvault/vaults/{}/keys/{}':
        return ['Microsoft.KeyVault/vaults', world.vaults.has(name.toLowerCase())];
      case 'microsoft.keyvault/managedhsms/{}':
        return ['Microsoft.KeyVault/managedHSMs', world.managedHsms.has(name.toLowerCase())];
      case 'microsoft.storage/storageaccounts/{}':
        return ['Microsoft.Storage/storageAccounts', world.storageAccounts.has(name.toLowerCase())];
      case 'microsoft.managedidentity/userassignedidentities/{}':
        return ['Microsoft.ManagedIdentity/userAssignedIdentities', world.identities.has(scope.toLowerCase())];
      case 'microsoft.eventgrid/systemtopics/{}':
        return ['Microsoft.EventGrid/systemTopics', world.systemTopics.has(scope.toLowerCase())];
      case 'microsoft.eventgrid/topics/{}':
        return ['Microsoft.EventGrid/topics', world.customTopics.has(scope.toLowerCase())];
      default:
        return ['', true];
    }
  })();

  if (!exists) throw resourceNotFound(type, name, resourceGroup);
}
