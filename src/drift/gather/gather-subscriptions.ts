import pMap from 'p-map';
import type { Failure } from '../../azure/failure.ts';
import { CONCURRENCY } from '../../azure/limits.ts';
import { HOUR_MS } from '../../time/spans.ts';
import type { DriftRun } from '../drift-run.ts';
import type { UnfinishedChecks } from '../store/drift-storage-client.ts';
import type { SubscriptionResult } from '../store/subscription-result.ts';
import { gatherSubscription, type SubscriptionContext } from './gather-subscription.ts';

/** What an unfinished check put aside is taken for as long as this. */
const UNFINISHED_MS = 2 * HOUR_MS;
/** A check that takes longer than this puts aside what it has, subscription by subscription. */
const PUT_ASIDE_AFTER_MS = 60_000;
/** How long a subscription that throttles is waited for, in all. */
const PATIENCE_MS = 120_000;

export interface GatheredSubscription {
  readonly result: SubscriptionResult;
  /** Read by the check before, which did not come to its end. */
  readonly resumed: boolean;
}

/** An operator wants to know how things are now; the timer goes on with what a check that was killed has left. */
export async function gatherSubscriptions(
  ids: readonly string[],
  context: () => SubscriptionContext,
  run: DriftRun,
  startedOn: Date,
  services: {
    readonly unfinished?: UnfinishedChecks | undefined;
    readonly now: () => Date;
    readonly sleep: (ms: number) => Promise<void>;
  },
): Promise<GatheredSubscription[]> {
  const { unfinished, now } = services;
  const since = new Date(startedOn.getTime() - UNFINISHED_MS);
  const left = run.by === 'timer' ? await unfinished?.unfinished(since).catch(() => []) : [];
  const putAside = new Map(left?.map((result) => [result.id, result]));
  return pMap(
    ids,
    async (id) => {
      const before = putAside.get(id);
      if (before) return { result: before, resumed: true };
      const result = await patiently(id, context, run, services);
      // What could not be read is tried again by the next check, so only what is complete is worth keeping.
      if (result.complete && now().getTime() - startedOn.getTime() > PUT_ASIDE_AFTER_MS) {
        await unfinished?.putAside(result).catch(() => {});
      }
      return { result, resumed: false };
    },
    { concurrency: CONCURRENCY },
  );
}

/** A subscription that throttles is waited for, as long as it asks, but not for ever: then it is `Unreadable`. */
async function patiently(
  id: string,
  context: () => SubscriptionContext,
  { patienceMs = PATIENCE_MS, signal }: DriftRun,
  { sleep }: { readonly sleep: (ms: number) => Promise<void> },
): Promise<SubscriptionResult> {
  for (let waited = 0; ; ) {
    const { result, failure } = await gatherSubscription(id, context());
    const waitMs = waitOf(failure);
    if (waitMs === undefined || waited + waitMs > patienceMs || signal?.aborted) return result;
    waited += waitMs;
    await sleep(waitMs);
  }
}

function waitOf(failure: Failure | undefined): number | undefined {
  if (failure?.kind !== 'throttled') return undefined;
  return Math.max(1, failure.retryAfterSeconds ?? 10) * 1_000;
}
