import pMap from 'p-map';
import { readPart, type UnreadPart } from '../../azure/read-or-why.ts';
import type { OtherDependent } from '../../dependents/dependent.ts';
import type { GraphResource, ResourceGraph } from '../../dependents/resource-graph-client.ts';
import { usesOfVault, vaultUseQuery } from '../../dependents/resource-graph-query.ts';
import type { ManagedVault } from '../../keys/managed-vaults.ts';
import type { KeySubject } from '../checks/subjects.ts';
import { PARTS } from './parts.ts';

/** Resource Graph permits 15 queries per five seconds for all clients together ("Guidance for throttled requests"). */
const CONCURRENCY = 2;
const STORAGE = 'microsoft.storage/storageaccounts';

/**
 * Adds to each key the resources of other services that name it, with one query per vault. Ignores storage accounts of
 * managed subscriptions, because their provider returns newer data.
 *
 * @returns the failed reads
 */
export async function gatherOthers(
  keys: readonly KeySubject[],
  subscriptions: readonly string[],
  { resourceGraph, signal }: { readonly resourceGraph: ResourceGraph; readonly signal: AbortSignal | undefined },
): Promise<UnreadPart[]> {
  const searched = new Set(subscriptions.map((id) => id.toLowerCase()));
  const unread = await pMap(
    new Set(keys.map(({ key }) => key.vault)),
    async (vault) => {
      const subjects = keys.filter(({ key }) => key.vault === vault);
      const isOther = ({ type, subscriptionId }: GraphResource): boolean =>
        type !== STORAGE || !searched.has(subscriptionId.toLowerCase());
      const part = await readPart(PARTS.others(vault.id), () => readUsers(vault, isOther, resourceGraph, signal));
      if ('unread' in part) return [part.unread];
      for (const subject of subjects) subject.others = part.value.get(subject.key.name.toLowerCase()) ?? [];
      return [];
    },
    { concurrency: CONCURRENCY },
  );
  return unread.flat();
}

/** @param isWanted rejects other rows immediately, because a fleet of accounts would fill the memory */
async function readUsers(
  vault: ManagedVault,
  isWanted: (row: GraphResource) => boolean,
  graph: ResourceGraph,
  signal: AbortSignal | undefined,
): Promise<ReadonlyMap<string, OtherDependent[]>> {
  const found = new Map<string, OtherDependent[]>();
  for await (const row of graph.query(vaultUseQuery(vault), signal)) {
    if (!isWanted(row)) continue;
    for (const [name, user] of usesOfVault(row, vault)) found.set(name, [...(found.get(name) ?? []), user]);
  }
  return found;
}
