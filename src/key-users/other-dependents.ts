import { untilAborted } from '../azure/deadline.ts';
import { toComparableId } from '../azure/resource-id.ts';
import { compareText } from '../formats/text.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import type { SearchSettings } from '../settings/settings.ts';
import type { BlastRadius, OtherDependent } from './dependent.ts';
import { PartTracker } from './part-tracker.ts';
import type { ResourceGraph } from './resource-graph-client.ts';
import { createVaultUseQuery, findUseOfKey } from './resource-graph-query.ts';

/** Resource Graph silently omits resources that the caller may not read. */
const TYPES_OUT_OF_SIGHT =
  'The app may not read resources of some types, including shares of Microsoft.FileShares. To read them, deploy with otherDependents=reader (CMK_OTHER_DEPENDENTS).';

export interface OtherDependentsServices {
  readonly settings: Pick<SearchSettings, 'otherDependents'>;
  readonly resourceGraph: ResourceGraph;
}

export type OtherDependents = Pick<BlastRadius, 'otherResources' | 'unread' | 'outOfSight'>;

/** Reads the dependents that Resource Graph finds, storage accounts among them. Never throws; see `abortAfter`. */
export async function readOtherDependents(
  key: ManagedKey,
  services: OtherDependentsServices,
  signal?: AbortSignal,
): Promise<OtherDependents> {
  const parts = new PartTracker(signal);
  const others: OtherDependent[] = [];
  await untilAborted(collectOtherDependents(key, services, { others, parts }, signal), signal);
  return {
    otherResources: [...others],
    unread: parts.missing(),
    outOfSight: describeTypesOutOfSight(services.settings),
  };
}

/** Adds each dependent as its page arrives. Never throws. */
export async function collectOtherDependents(
  key: ManagedKey,
  { settings, resourceGraph }: OtherDependentsServices,
  { others, parts }: { readonly others: OtherDependent[]; readonly parts: PartTracker },
  signal?: AbortSignal,
): Promise<void> {
  const what = 'other resource types';
  await parts.read(what, 'OtherResourcesUnreadable', async () => {
    for await (const row of resourceGraph.query(createVaultUseQuery(key.vault), signal)) {
      const other = findUseOfKey(row, key);
      if (other) others.push(other);
    }
  });

  if (settings.otherDependents !== 'none') return;

  const detail = 'The app has no permission to read them (CMK_OTHER_DEPENDENTS=none).';
  parts.unread(what, 'OtherResourcesUnreadable', detail);
}

export function describeTypesOutOfSight({ otherDependents }: OtherDependentsServices['settings']): string | undefined {
  return otherDependents === 'listed' ? TYPES_OUT_OF_SIGHT : undefined;
}

/** Returns the other dependents by ARM id, without the accounts that are known already. */
export function excludeAccounts(
  others: readonly OtherDependent[],
  accounts: readonly { readonly id: string }[],
): OtherDependent[] {
  // Pairwise comparison of thousands of accounts would block the event loop for a minute.
  const known = new Set(accounts.map(({ id }) => toComparableId(id)));
  return others.filter(({ id }) => !known.has(toComparableId(id))).sort((a, b) => compareText(a.id, b.id));
}

export function isStorageAccount({ type }: OtherDependent): boolean {
  return type === 'microsoft.storage/storageaccounts';
}
