import { setImmediate } from 'node:timers/promises';
import { beforeEach, describe, expect, it } from 'vitest';
import type { Account } from '../../src/accounts/account.ts';
import { type FindServices, findAccounts } from '../../src/controller/check-rekey.ts';
import type { UseRow } from '../../src/index/use-row.ts';
import { day, KEY, SUBSCRIPTION } from '../support/keys.ts';
import { account } from './fleet.ts';

const NOW = day(20);
const subscriptionOf = (n: number) => `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`;

/** An account in a subscription of the given number. */
function accountIn(n: number): Account {
  const subscriptionId = subscriptionOf(n);
  const one = account(`st${n}`);
  return { ...one, id: one.id.replace(SUBSCRIPTION, subscriptionId), subscriptionId };
}

let accounts: Account[];
let uses: UseRow[];
let listings: Map<string, Date>;
let listed: string[];
let most: number;
let services: FindServices;

beforeEach(() => {
  accounts = Array.from({ length: 20 }, (_, n) => accountIn(n));
  uses = [];
  listings = new Map();
  listed = [];
  most = 0;

  let inFlight = 0;
  services = {
    settings: { subscriptions: accounts.map(({ subscriptionId }) => subscriptionId) },
    accounts: {
      list: async function* (subscription) {
        listed.push(subscription);
        inFlight += 1;
        most = Math.max(most, inFlight);
        await setImmediate();
        inFlight -= 1;
        yield* accounts.filter(({ subscriptionId }) => subscriptionId === subscription);
      },
    },
    useRows: {
      of: async function* () {
        yield* uses;
      },
    },
    fleet: { listings: async () => listings },
    subscriptions: { list: async () => [] },
    inSight: async () => undefined,
    now: () => NOW,
  };
});

describe('The check of a re-key', () => {
  it('The check of a re-key lists several subscriptions at a time, so that it ends in time for a thousand of them', async () => {
    const { accounts: found } = await findAccounts(KEY, services);
    expect(found.map(({ name }) => name)).toEqual(accounts.map(({ name }) => name));
    expect(most).toBeGreaterThan(1);
    expect(most).toBeLessThanOrEqual(8);
  });

  it('The check of a re-key lists no subscription in which the index, at most a day old, has no use of the key', async () => {
    for (const { subscriptionId } of accounts) listings.set(subscriptionId, new Date(NOW.getTime() - 3_600_000));
    listings.set(subscriptionOf(3), new Date(NOW.getTime() - 100_000_000));
    listings.delete(subscriptionOf(4));
    uses = [{ account: accountIn(5).id } as UseRow];
    const { accounts: found } = await findAccounts(KEY, services);
    expect(listed.sort()).toEqual([3, 4, 5].map(subscriptionOf));
    expect(found.map(({ name }) => name)).toEqual(['st3', 'st4', 'st5']);
  });

  it('The check of a re-key lists every subscription while the index cannot be read, and says so', async () => {
    const down = async () => Promise.reject(new Error('no answer'));

    for (const { subscriptionId } of accounts) listings.set(subscriptionId, NOW);

    services = {
      ...services,
      useRows: {
        of: async function* () {
          yield await down();
        },
      },
    };

    const { accounts: found, unread } = await findAccounts(KEY, services);
    expect(found).toHaveLength(20);
    expect(unread).toEqual([expect.stringContaining('no answer')]);
  });
});
