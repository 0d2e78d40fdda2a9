import { describe, expect, it } from 'vitest';
import { reconcileSubscription } from '../../src/controller/reconcile-subscription.ts';
import { KEY, SUBSCRIPTION, VAULT } from '../support/keys.ts';
import { account, OTHER } from './fleet.ts';
import { HOUR, MINUTE, nameOf, Region, versionOf } from './region.ts';

const SECOND = versionOf(KEY.id, 2).id;

/** Two keys in one region, with 50 accounts each; both have a new version, and its decision is made. */
async function rotateBoth(): Promise<Region> {
  const region = await Region.indexed(50, (one) => {
    one.add(...Array.from({ length: 50 }, (_, n) => account(nameOf(50 + n), { keyName: 'other-key' })));
  });
  region.newestOthers = 2;
  region.rotate();
  region.reconcile('event', OTHER);
  await region.deliver();
  return region;
}

/** Seconds from then to the last PATCH of the first key's 50 accounts. */
function secondsToLast({ patches }: Region, begun: number): number {
  const healthy = patches.filter(({ name }) => name < nameOf(50));
  expect(healthy).toHaveLength(50);
  return (Math.max(...healthy.map(({ at }) => at)) - begun) / 1000;
}

function passSeconds({ logs }: Region): number[] {
  return logs.filter(({ reason }) => reason === 'PassDone').map(({ seconds }) => Number(seconds));
}

describe('A vault that hangs', () => {
  it('A vault that hangs delays no use of a key in another vault, and its keys say so', async () => {
    const region = await rotateBoth();
    const begun = region.clock;
    region.hangs = (key) => key === OTHER;
    await region.until(() => region.on(SECOND) === 50, HOUR);
    // The budgets need five seconds for 50 accounts.
    expect(secondsToLast(region, begun)).toBeLessThan(5 * 1.2);
    const items = region.items.all.filter(({ about }) => about === OTHER);
    expect(items).toMatchObject([{ reason: 'VaultUnreadable', attempts: 1 }]);
    expect(region.logs).toContainEqual(expect.objectContaining({ reason: 'VaultUnreadable', key: OTHER }));
  });

  it('A vault that hangs delays no use of a key in another vault, although it answered when the pass began', async () => {
    const region = await rotateBoth();
    const begun = region.clock;
    region.hangs = (key) => key === OTHER && region.patches.length > 0;
    await region.until(() => region.on(SECOND) === 50, HOUR);
    // The budgets need ten seconds for 100 accounts: the pass takes the uses of both keys in turn.
    expect(secondsToLast(region, begun)).toBeLessThan(10 * 1.2);
  });

  it('A vault that hangs lets each pass end on time', async () => {
    const region = await rotateBoth();
    region.hangs = (key) => key === OTHER;
    await region.until(() => false, 30 * MINUTE);
    expect(Math.max(...passSeconds(region))).toBeLessThan(240);
  });

  it('A vault that hangs delays no event', async () => {
    const region = await rotateBoth();
    region.hangs = (key) => key === OTHER;
    const begun = region.clock;
    await reconcileSubscription(SUBSCRIPTION, new Date(begun + 14_000), region.ports());
    expect((region.clock - begun) / 1000).toBeLessThan(16);
    expect(region.on(SECOND)).toBe(50);
  });

  it('A vault that hangs has its own uses moved within seven minutes once it answers', async () => {
    const region = await rotateBoth();
    region.hangs = (key) => key === OTHER;
    await region.until(() => false, HOUR);
    region.hangs = () => false;
    const seconds = await region.until(() => region.on(versionOf(OTHER, 2).id) === 50, HOUR);
    expect(seconds).toBeLessThan(7 * MINUTE);
  });
});

it.each([0, 200, 500])(
  '100 accounts on 100 keys in a region move in twelve seconds if each list of versions takes %i ms',
  async (listMs) => {
    const keys = Array.from({ length: 100 }, (_, n) => `key-${n}`);
    const region = await Region.indexed(0, (one) => {
      one.add(...keys.map((keyName, n) => account(nameOf(n), { keyName })));
    });

    region.newestOthers = 2;
    for (const key of keys) region.reconcile('event', `${VAULT.uri}/keys/${key}`);

    await region.deliver();
    region.listMs = listMs;

    const begun = region.clock;

    await region.until(() => region.patches.length === 100, HOUR);

    expect(Math.max(...region.patches.map(({ at }) => at)) - begun).toBeLessThan(12_000);
  },
);
