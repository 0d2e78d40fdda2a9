import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Account } from '../../src/accounts/account.ts';
import { Dispatcher, READS_PER_ACCOUNT, WRITES_PER_SECOND } from '../../src/accounts/dispatcher.ts';

const account = (subscriptionId: string, location: string): Account => ({
  id: `/subscriptions/${subscriptionId}/st`,
  type: 'Microsoft.Storage/storageAccounts',
  name: 'st',
  subscriptionId,
  resourceGroup: 'rg',
  location,
  tags: {},
  userAssignedIdentities: [],
  principalIds: {},
  systemPrincipalId: undefined,
  encryption: {},
});

async function delays(places: readonly (readonly [string, string])[]) {
  const sent: { subscription: string; location: string; delay: number }[] = [];
  const dispatcher = new Dispatcher(WRITES_PER_SECOND, async ({ subscriptionId, location }, delay) => {
    sent.push({ subscription: subscriptionId, location, delay });
  });
  for (const [subscription, location] of places) await dispatcher.dispatch(account(subscription, location));
  return sent;
}

describe('Dispatcher', () => {
  it('lets accounts come as fast as a region takes writes and a subscription takes reads, a second early', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.constantFrom('s1', 's2'), fc.constantFrom('eu', 'us', 'uk')), { maxLength: 600 }),
        async (places) => {
          const sent = await delays(places);
          for (const { delay } of sent) {
            const by = sent.filter((one) => one.delay <= delay);
            for (const subscription of ['s1', 's2']) {
              const mine = by.filter((one) => one.subscription === subscription);
              expect(mine.length * READS_PER_ACCOUNT).toBeLessThanOrEqual(250 + 25 * (delay + 2));
              for (const location of ['eu', 'us', 'uk']) {
                const here = mine.filter((one) => one.location === location);
                expect(here.length).toBeLessThanOrEqual(WRITES_PER_SECOND * (delay + 2));
              }
            }
          }
        },
      ),
      { numRuns: 20 },
    );
  });

  it('does not let one region, or one subscription, wait for another', async () => {
    const busy = Array.from({ length: 500 }, () => ['s1', 'eu'] as const);
    const sent = await delays([...busy, ['s2', 'eu']]);
    expect(sent.at(-1)?.delay).toBe(0);
    expect(sent.at(-2)?.delay).toBeGreaterThan(40);
  });
});
