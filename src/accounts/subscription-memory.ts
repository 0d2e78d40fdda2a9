import { z } from 'zod';
import { controlContainer, DRIFT_CONTAINER, ONE_RETRY } from '../azure/app-storage.ts';
import type { TokenCredential } from '../azure/credential.ts';
import { blobDocuments } from '../azure/documents.ts';
import { describe, describeFailure } from '../azure/failure.ts';
import type { Log } from '../log.ts';
import { REASONS } from '../reasons.ts';
import type { Settings } from '../settings/settings.ts';
import { DAY_MS } from '../time/spans.ts';
import type { ListedSubscription, SeenNow, Subscriptions } from './subscriptions-client.ts';

/** Subscriptions that were seen, by id, and when each was seen last (ISO 8601). */
export type SeenSubscriptions = Readonly<Record<string, string>>;

interface SubscriptionMemory {
  read(): Promise<SeenSubscriptions>;
  write(seen: SeenSubscriptions): Promise<void>;
}

const BLOB = 'subscriptions.json';
const SEEN = z.record(z.string().max(40), z.iso.datetime());
/** What cannot be read in time is done without: a blast radius may wait for it. Milliseconds. */
const TIMEOUT_MS = 3_000;

/** One small blob. Of two instances that write at once one is lost: the next read writes what it lacks. */
export function createSubscriptionMemory(
  settings: Pick<Settings, 'storage'>,
  credential: () => TokenCredential,
): SubscriptionMemory {
  const container = controlContainer(settings, credential, DRIFT_CONTAINER, ONE_RETRY);
  const documents = blobDocuments<SeenSubscriptions>(container, SEEN, TIMEOUT_MS);
  return {
    read: async () => (await documents.read(BLOB))?.value ?? {},
    write: async (seen) => {
      await documents.change(
        BLOB,
        () => seen,
        async () => ({}),
      );
    },
  };
}

/** A subscription that was cancelled can be had back for so long (Azure Cost Management, "Cancel your subscription"). */
const FORGOTTEN_MS = 90 * DAY_MS;
/** How exactly the last time is kept: what is seen each minute is written once a week. */
const EXACT_MS = 7 * DAY_MS;

/**
 * The subscriptions that the identity sees, and those that it no longer sees: reads of these fail and are reported, where
 * otherwise their accounts would be skipped in silence. To drop one, name the others (`CMK_SUBSCRIPTIONS`); it is forgotten
 * after 90 days.
 *
 * @param memory one that cannot be read or written in time changes nothing about what is seen
 */
export function rememberedSubscriptions(
  subscriptions: { all(): Promise<ListedSubscription[]> },
  memory: SubscriptionMemory,
  now: () => Date,
  log: Log,
): Subscriptions {
  const failed = (error: unknown): undefined => {
    const message = `${REASONS.SubscriptionsNotRemembered} ${describe(describeFailure(error))}`;
    log({ level: 'warning', reason: 'SubscriptionsNotRemembered', message });
  };
  const read = async (): Promise<SeenNow> => {
    const [listed, before] = await Promise.all([subscriptions.all(), memory.read().catch(failed)]);
    const usable = listed.filter((one) => one.usable).map(({ id }) => id);
    if (!before) return { ids: usable, vanished: [], isPart: true };
    const { seen, vanished, changed } = remember(before, listed, now());
    if (changed) await memory.write(seen).catch(failed);
    return { ids: [...usable, ...vanished], vanished };
  };
  return { seen: read, list: async () => [...(await read()).ids] };
}

export function remember(
  before: SeenSubscriptions,
  listed: readonly ListedSubscription[],
  now: Date,
): { seen: SeenSubscriptions; vanished: readonly string[]; changed: boolean } {
  const seen = new Map(Object.entries(before).filter(([, last]) => now.getTime() - Date.parse(last) < FORGOTTEN_MS));
  let changed = seen.size !== Object.keys(before).length;
  for (const { id, usable } of listed) {
    const last = seen.get(id);
    if (last !== undefined && now.getTime() - Date.parse(last) < EXACT_MS) continue;
    // A disabled subscription counts as vanished only if it was enabled before.
    if (last === undefined && !usable) continue;
    seen.set(id, now.toISOString());
    changed = true;
  }
  const there = new Set(listed.map(({ id }) => id));
  return { seen: Object.fromEntries(seen), vanished: [...seen.keys()].filter((id) => !there.has(id)), changed };
}
