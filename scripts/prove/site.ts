import { parseResourceId, type ResourceId } from '../../src/azure/resource-id.ts';

/** Names of everything that a run makes. They follow from its id, so that a killed run can be cleaned up later. */
export interface Site {
  readonly runId: string;
  readonly subscription: string;
  readonly resourceGroup: string;
  /** Whether the run makes the resource group, and deletes it. */
  readonly isOwnGroup: boolean;
  readonly vault: ResourceId;
  readonly identity: ResourceId;
  /** One pinned and one automatic account of the first key, and one of the second key. */
  readonly pinned: ResourceId;
  readonly automatic: ResourceId;
  readonly other: ResourceId;
}

export const FIRST_KEY = 'first-key';
export const SECOND_KEY = 'second-key';

/** @param resourceGroup undefined: one of the run's own */
export function createSite(runId: string, subscription: string, resourceGroup: string | undefined): Site {
  const group = resourceGroup ?? `rg-cmk-prove-${runId}`;
  const idOf = (type: string, name: string): ResourceId => {
    const id = parseResourceId(`/subscriptions/${subscription}/resourceGroups/${group}/providers/${type}/${name}`);
    if (id) return id;
    throw new TypeError(`Not a subscription and a resource group: ${subscription}, ${group}`);
  };
  const accountId = (which: number) => idOf('Microsoft.Storage/storageAccounts', `stprove${runId}${which}`);

  return {
    runId,
    subscription,
    resourceGroup: group,
    isOwnGroup: resourceGroup === undefined,
    vault: idOf('Microsoft.KeyVault/vaults', `kv-prove-${runId}`),
    identity: idOf('Microsoft.ManagedIdentity/userAssignedIdentities', `id-prove-${runId}`),
    pinned: accountId(1),
    automatic: accountId(2),
    other: accountId(3),
  };
}

export function getAccounts({ pinned, automatic, other }: Site): readonly ResourceId[] {
  return [pinned, automatic, other];
}
