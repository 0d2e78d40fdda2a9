import { comparableId } from '../azure/resource-id.ts';
import type { Contest, StandingOrders } from './standing-orders.ts';

/** The open contest over an account. @param account ARM id, in any letter case */
export function contestOf(contests: readonly Contest[], account: string, now: Date): Contest | undefined {
  const id = comparableId(account);
  return openContests(contests, now).find((contest) => comparableId(contest.account) === id);
}

/** A contest is over after a day, or when an operator releases it. */
function openContests(contests: readonly Contest[], now: Date): readonly Contest[] {
  return contests.filter(({ until }) => Date.parse(until) > now.getTime());
}

/** Adds a contest; it replaces one over the same account. */
export function withContest(orders: StandingOrders, { id, account, since, until, by }: Contest): StandingOrders {
  const { contests } = withoutContest(orders, account);
  return { ...orders, contests: [...openContests(contests, new Date(since)), { id, account, since, until, by }] };
}

export function withoutContest(orders: StandingOrders, account: string): StandingOrders {
  const id = comparableId(account);
  const contests = orders.contests.filter((contest) => comparableId(contest.account) !== id);
  return contests.length === orders.contests.length ? orders : { ...orders, contests };
}
