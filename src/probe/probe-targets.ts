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
import { formatEffectId } from './effect.ts';
import { type DataServices, type ProbeResult, type ProbeTarget, probe } from './probe.ts';
import { type DataService, SERVICE_WORDS } from './service-words.ts';

const MOST_CONTAINERS = 5;
const NO_ACCOUNTS: ReadonlySet<string> = new Set();

export interface PlaceLists {
  readonly settings: Pick<Settings, 'probeBlobs'>;
  readonly shares: FileShares;
  readonly containers: BlobContainers;
}

/** Returns the probe targets of one account: its file service and, with `CMK_PROBE_BLOBS`, its blob service. */
export function listTargetsOfAccount(
  account: ResourceId,
  lists: PlaceLists,
  signal: AbortSignal,
): Promise<ProbeTarget[]> {
  const targets = probedServices(lists.settings).map((service) =>
    target(account, service, () => listPlaces(account, service, lists, signal)),
  );
  return Promise.all(targets);
}

function probedServices({ probeBlobs }: PlaceLists['settings']): readonly DataService[] {
  return probeBlobs ? ['file', 'blob'] : ['file'];
}

async function listPlaces(
  account: ResourceId,
  service: DataService,
  { shares, containers }: Omit<PlaceLists, 'settings'>,
  signal: AbortSignal,
): Promise<readonly string[]> {
  if (service === 'file') {
    const share = chooseShare(await Array.fromAsync(shares.list(account, signal)));
    return share === undefined ? [] : [share];
  }

  const found: string[] = [];

  for await (const name of containers.list(account, signal)) {
    found.push(name);
    if (found.length === MOST_CONTAINERS) break;
  }

  return found;
}

async function target(
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
 * excluded: neither their file service nor their containers show its state. A blob service without containers is
 * excluded too, unless its list failed. Never throws; stops after `ms`. `complete` is false if a list failed or exceeded
 * the deadline.
 *
 * @param known targets that need no list, by their id: Azure Storage admits only 100 lists in five minutes
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

  const addTarget = async (account: Account, service: DataService, signal: AbortSignal): Promise<void> => {
    // Returns instead of throwing: a rejection would be unhandled during the list.
    if (signal.aborted) return;
    const list = () => regions.read(account, () => listPlaces(account, service, services, signal));
    const one = await target(account, service, list);
    if (one.unlisted) missed += 1;
    if (service === 'file' || one.places.length > 0 || one.unlisted) targets.set(formatEffectId(one), one);
  };

  const find = async (signal: AbortSignal): Promise<void> => {
    const adding: Promise<void>[] = [];
    const unread = await findDependents(
      key,
      settings.subscriptions ?? (await subscriptions.list()),
      { byScope: NO_ACCOUNTS, accounts },
      (account) => {
        for (const service of probedServices(settings)) {
          const id = formatEffectId({ account: account.id, service });
          const one = known.get(id);
          if (one) targets.set(id, one);
          else adding.push(limit(() => addTarget(account, service, signal)));
        }
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

/** Probes the canaries' services. Logs canaries without a result (no share, no answer), which delay nothing. */
export function createCanaryProbe(
  services: PlaceLists & DataServices & { readonly now: () => Date },
): ControllerPorts['probe'] {
  return async (canaries, target, log) => {
    const ids = canaries.flatMap((account) => parseResourceId(account) ?? []);
    const find = (signal: AbortSignal) => Promise.all(ids.map((id) => listTargetsOfAccount(id, services, signal)));
    const results = await probe((await abortAfter(find, PROBE_MS)).flat(), services, PROBE_MS);
    const inWords = ({ account, state, why }: ProbeResult): string => `${getLastName(account)} (${why ?? state})`;
    const failing = results.filter(({ state }) => state === 'blocked').map(inWords);
    if (failing.length > 0) return { unwell: failing.join(', ') };

    const answered = new Set(results.flatMap(({ account, state }) => (state === 'unknown' ? [] : account)));
    const unseen = results.filter(({ account, state }) => state === 'unknown' && !answered.has(account)).map(inWords);
    if (unseen.length > 0) {
      const message = `${REASONS.CanaryUnseen} ${unseen.join(', ')}.`;
      log({ level: 'warning', reason: 'CanaryUnseen', message, version: target });
    }

    return 'proven';
  };
}
