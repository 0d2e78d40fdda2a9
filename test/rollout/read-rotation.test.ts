import { expect, it } from 'vitest';
import type { FleetUse } from '../../src/fleet/fleet-index.ts';
import { KnownOrders } from '../../src/orders/known-orders.ts';
import { NO_ORDERS } from '../../src/orders/standing-orders.ts';
import { type ComputeRotationPorts, computeRotation } from '../../src/rollout/read-rotation.ts';
import { KEY, keyVersion, SUBSCRIPTION, versionName } from '../support/keys.ts';
import { accountId, fleetUse, NOW } from './rollout-fixture.ts';

const ELSEWHERE = 'aaaaaaaa-2222-4222-8222-222222222222';
const MOVED = { pinned: versionName(199), current: versionName(199) };
const elsewhere = (n: number) => accountId(n).replace(SUBSCRIPTION, ELSEWHERE);

const VERSIONS = [keyVersion(100), keyVersion(199)];

function portsOf(uses: readonly FleetUse[], subscriptions: readonly string[] | undefined) {
  const now = () => NOW;
  return {
    settings: { refreshAutomatic: true, canary: 1, drift: { exemptions: [] } },
    inSight: async () => subscriptions,
    fleet: {
      async *uses() {
        yield* uses;
      },
    },
    rotationNotes: { all: async function* () {}, of: async () => undefined, put: async () => {} },
    control: new KnownOrders({ read: async () => NO_ORDERS }, now),
    writeBudgets: [],
    now,
  } satisfies ComputeRotationPorts;
}

async function rotationOf(uses: readonly FleetUse[], subscriptions: readonly string[] | undefined) {
  const read = await computeRotation(KEY, VERSIONS, portsOf(uses, subscriptions));
  if (read.blocked) throw new Error(read.blocked);
  return read;
}

it.each([
  ['not known', undefined, { state: 'stuck', moved: 1, waiting: 1 }],
  ['the one of what has moved', [ELSEWHERE.toUpperCase()], { state: 'finished', moved: 1, waiting: 0 }],
  ['the one of what has not', [SUBSCRIPTION], { state: 'stuck', moved: 0, waiting: 1 }],
])('a rotation waits for nothing in subscriptions that are not looked after: %s', async (_, subscriptions, is) => {
  const { progress } = await rotationOf([fleetUse(1), fleetUse(2, { account: elsewhere(2), ...MOVED })], subscriptions);
  expect(progress).toMatchObject(is);
});

it('what is not looked after any more is no canary, which would hold the others for ever', async () => {
  const uses = [fleetUse(1, { account: elsewhere(1), wave: '1' }), fleetUse(2)];
  expect((await rotationOf(uses, undefined)).stage.canaries).toEqual([elsewhere(1)]);
  expect((await rotationOf(uses, [SUBSCRIPTION])).stage.canaries).toEqual([accountId(2)]);
});
