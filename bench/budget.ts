/** A token bucket as Azure documents it: so many calls at once, and so many a second from then on. */
interface Bucket {
  readonly burst: number;
  readonly perSecond: number;
}

/**
 * Sources: Azure Resource Manager, "Understand how Azure Resource Manager throttles requests": reads and writes per
 * subscription and principal; writes of the Storage resource provider per subscription and region, and per hour.
 */
const ARM_READS: Bucket = { burst: 250, perSecond: 25 };
const ARM_WRITES: Bucket = { burst: 200, perSecond: 10 };
const STORAGE_WRITES: Bucket = { burst: 10, perSecond: 10 };
const STORAGE_WRITES_AN_HOUR = 1_200;

/** What is to be done in one subscription. */
export interface Share {
  /** Accounts to move, by region. */
  readonly accounts: Readonly<Record<string, number>>;
  /** Reads besides those about an account: the pages of the list. */
  readonly lists: number;
}

/**
 * The seconds that the documented budgets need for it, at the least, when each account costs `readsPerAccount` reads and
 * one write. Budgets of different subscriptions and regions are used at the same time, so the slowest one counts.
 *
 * @throws RangeError for more accounts in one region than the hourly budget allows
 */
export function budgetSeconds(subscriptions: readonly Share[], readsPerAccount: number): number {
  const needs = subscriptions.flatMap(({ accounts, lists }) => {
    const perRegion = Object.values(accounts);
    const all = perRegion.reduce((sum, count) => sum + count, 0);
    if (perRegion.some((count) => count > STORAGE_WRITES_AN_HOUR)) {
      throw new RangeError(`A region takes ${STORAGE_WRITES_AN_HOUR} writes an hour.`);
    }
    return [
      seconds(ARM_READS, all * readsPerAccount + lists),
      seconds(ARM_WRITES, all),
      ...perRegion.map((count) => seconds(STORAGE_WRITES, count)),
    ];
  });
  return Math.max(0, ...needs);
}

function seconds({ burst, perSecond }: Bucket, calls: number): number {
  return Math.max(0, calls - burst) / perSecond;
}
