import pLimit from 'p-limit';
import type { Account } from '../accounts/account.ts';
import { findDependents } from '../accounts/inventory.ts';
import type { StorageAccounts } from '../accounts/storage-client.ts';
import type { Subscriptions } from '../accounts/subscriptions-client.ts';
import { ThrottledRegions } from '../accounts/throttled-regions.ts';
import { abortAfter, withDeadline } from '../azure/deadline.ts';
import { describeAnswerOf, describeFailure } from '../azure/failure.ts';
import { CONCURRENCY } from '../azure/limits.ts';
import { getLastName, parseResourceId, type ResourceId } from '../azure/resource-id.ts';
import type { ControllerPorts } from '../controller/controller.ts';
import { REASONS } from '../errors/reasons.ts';
import type { BlobContainers, FileShare, FileShares } from '../key-users/stored-data-client.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import type { Settings } from '../settings/settings.ts';
import { toAccountKey } from './effect.ts';
import { type DataServices, type ProbeResult, type ProbeTarget, probe } from './probe.ts';
import { type DataService, SERVICE_WORDS } from './service-words.ts';

const MOST_CONTAINERS = 5;
const NO_ACCOUNTS: ReadonlySet<string> = new Set();

export interface PlaceLists {
  readonly settings: Pick<Settings, 'probeBlobs'>;
  readonly shares: FileShares;
  readonly containers: BlobContainers;
}

type ReadList = (list: () => Promise<string[]>) => Promise<string[]>;

/**
 * Returns what the probe of an account calls: its first file share, or its blob containers if it has no share and
 * `CMK_PROBE_BLOBS` is on. A share proves the effect for the whole account, so its containers need no list.
 *
 * @param read runs each list of Azure Storage
 */
export async function findProbeTarget(
  account: ResourceId,
  lists: PlaceLists,
  signal: AbortSignal,
  read: ReadList = (list) => list(),
): Promise<ProbeTarget> {
  const files = await listTarget(account, 'file', () => read(() => listShares(account, lists, signal)));
  if (!lists.settings.probeBlobs || files.unlisted || files.places.length > 0) return files;

  const blobs = await listTarget(account, 'blob', () => read(() => listContainers(account, lists, signal)));

  return blobs.unlisted || blobs.places.length > 0 ? blobs : files;
}

async function listShares(account: ResourceId, { shares }: PlaceLists, signal: AbortSignal): Promise<string[]> {
  const share = chooseShare(await Array.fromAsync(shares.list(account, signal)));
  return share === undefined ? [] : [share];
}

async function listContainers(account: ResourceId, { containers }: PlaceLists, signal: AbortSignal): Promise<string[]> {
  const found: string[] = [];

  for await (const name of containers.list(account, signal)) {
    found.push(name);
    if (found.length === MOST_CONTAINERS) break;
  }

  return found;
}

async function listTarget(
  { id }: ResourceId,
  service: DataService,
  list: () => Promise<readonly string[]>,
): Promise<ProbeTarget> {
  try {
    return { account: id, service, places: await list() };
  } catch (error) {
    const failure = describeFailure(error);
    const why = `The app cannot list its ${SERVICE_WORDS[service].places}: ${describeAnswerOf(failure)}`;
    const unlisted = failure.kind === 'throttled' ? 'throttled' : 'failed';

    return { account: id, service, places: [], why, unlisted };
  }
}

/**
 * Finds the probe targets of accounts that use a key directly. Accounts that use it only by encryption scopes are
 * excluded: neither their file service nor their containers show its state. Never throws; stops after `ms`. `complete`
 * is false if a list failed or exceeded the deadline.
 *
 * @param known targets that need no list, by {@link toAccountKey}: Azure Storage admits only 100 lists in five minutes
 */
export async function findProbeTargets(
  key: ManagedKey,
  known: ReadonlyMap<string, ProbeTarget>,
  services: PlaceLists & {
    readonly settings: Settings;
    readonly accounts: StorageAccounts;
    readonly subscriptions: Subscriptions;
  },
  ms: number,
): Promise<{ readonly targets: readonly ProbeTarget[]; readonly complete: boolean }> {
  const { settings, accounts, subscriptions } = services;
  const limit = pLimit(CONCURRENCY);
  const regions = new ThrottledRegions();
  const targets = new Map<string, ProbeTarget>();
  let missed = 0;

  const addTarget = async (account: Account, signal: AbortSignal): Promise<void> => {
    // Returns instead of throwing: a rejection would be unhandled during the list.
    if (signal.aborted) return;

    const target = await findProbeTarget(account, services, signal, (list) => regions.read(account, list));
    if (target.unlisted) missed += 1;
    targets.set(toAccountKey(target), target);
  };

  const find = async (signal: AbortSignal): Promise<void> => {
    const adding: Promise<void>[] = [];
    const unread = await findDependents(
      key,
      settings.subscriptions ?? (await subscriptions.list()),
      { byScope: NO_ACCOUNTS, accounts },
      (account) => {
        const id = toAccountKey({ account: account.id });
        const target = known.get(id);
        if (target) targets.set(id, target);
        else adding.push(limit(() => addTarget(account, signal)));
      },
      signal,
    );

    missed += unread.length;
    await Promise.all(adding);
  };

  // Also false if the list of subscriptions failed.
  const complete = await withDeadline(ms, 'The accounts were not found', find).then(
    () => true,
    () => false,
  );

  return { targets: [...targets.values()], complete: complete && missed === 0 };
}

/** Chooses the first SMB share, since not every NFS share allows lists over REST. */
export function chooseShare(shares: readonly FileShare[]): string | undefined {
  const byName = [...shares].sort((a, b) => (a.name < b.name ? -1 : 1));
  return (byName.find(({ protocol }) => protocol === 'SMB') ?? byName[0])?.name;
}

const PROBE_MS = 30_000;

/** Probes the canaries. Logs canaries without a result (no share, no answer), which delay nothing. */
export function createCanaryProbe(
  services: PlaceLists & DataServices & { readonly now: () => Date },
): ControllerPorts['probe'] {
  return async (canaries, target, log) => {
    const ids = canaries.flatMap((account) => parseResourceId(account) ?? []);
    const find = (signal: AbortSignal) => Promise.all(ids.map((id) => findProbeTarget(id, services, signal)));
    const results = await probe(await abortAfter(find, PROBE_MS), services, PROBE_MS);
    const inWords = ({ account, state, why }: ProbeResult): string => `${getLastName(account)} (${why ?? state})`;
    const failing = results.filter(({ state }) => state === 'blocked').map(inWords);
    if (failing.length > 0) return { failing: failing.join(', ') };

    const unseen = results.filter(({ state }) => state === 'unknown').map(inWords);
    if (unseen.length > 0) {
      const message = `${REASONS.CanaryUnseen} ${unseen.join(', ')}.`;
      log({ level: 'warning', reason: 'CanaryUnseen', message, version: target });
    }

    return 'proven';
  };
}
