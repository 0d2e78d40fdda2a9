/** So many calls in any span of so many seconds, and no more than so many a second; `burst` of them at once. */
interface Budget {
  readonly calls: number;
  readonly perSeconds: number;
  readonly perSecond: number;
  readonly burst: number;
}

/** A token bucket: so many calls at once, and so many a second from then on. */
interface Bucket {
  readonly burst: number;
  readonly perSecond: number;
}

/**
 * Sources: Azure Resource Manager, "Understand how Azure Resource Manager throttles requests": reads and writes per
 * subscription and principal are token buckets; those of the Storage resource provider are counted per subscription and
 * region, in windows of five minutes and of an hour.
 */
const ARM_READS: Bucket = { burst: 250, perSecond: 25 };
const ARM_WRITES: Bucket = { burst: 200, perSecond: 10 };
const STORAGE_READS: Budget = { calls: 800, perSeconds: 300, perSecond: Number.POSITIVE_INFINITY, burst: 0 };
const STORAGE_WRITES: Budget = { calls: 1_200, perSeconds: 3_600, perSecond: 10, burst: 10 };

/** What is to be done in one subscription. */
export interface Share {
  /** Accounts to move, by region. */
  readonly accounts: Readonly<Record<string, number>>;
  /** Reads besides those about an account: the pages of the list. */
  readonly lists: number;
}

/**
 * The seconds that the documented budgets need for it, at the least, when each account costs one read and one write.
 * Budgets of different subscriptions and regions are used at the same time, so the slowest one counts.
 *
 * @param share of the budgets of five minutes and of an hour that is used
 */
export function budgetSeconds(subscriptions: readonly Share[], share = 1): number {
  const needs = subscriptions.flatMap(({ accounts, lists }) => {
    const perRegion = Object.values(accounts);
    const all = perRegion.reduce((sum, count) => sum + count, 0);

    return [
      ofBucket(ARM_READS, all + lists),
      ofBucket(ARM_WRITES, all),
      ...perRegion.flatMap((count) => [
        ofWindows(STORAGE_READS, count, share),
        ofWindows(STORAGE_WRITES, count, share),
      ]),
    ];
  });

  return Math.max(0, ...needs);
}

function ofBucket({ burst, perSecond }: Bucket, calls: number): number {
  return Math.max(0, calls - burst) / perSecond;
}

/** Whole windows pass before the last calls have room, and these come as fast as a second allows. */
function ofWindows({ calls, perSeconds, perSecond, burst }: Budget, count: number, share: number): number {
  const most = Math.floor(calls * share);
  const full = Math.floor(Math.max(0, count - 1) / most);
  return full * perSeconds + Math.max(0, count - full * most - burst) / perSecond;
}
