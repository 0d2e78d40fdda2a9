import { expect, it } from 'vitest';
import type { RolloutRow } from '../../src/index/rollout-row.ts';
import type { UseRow } from '../../src/index/use-row.ts';
import type { ManagedVaults } from '../../src/keys/managed-vaults.ts';
import { listRotations, type RotationViewPorts, readKeyRotation } from '../../src/status/rotation.ts';
import { day, KEY, keyVersion, SUBSCRIPTION, VAULTS } from '../support/keys.ts';
import { accountId, NOW, OLD, useRow, viewPorts } from './use-rows.ts';

const ELSEWHERE = 'aaaaaaaa-2222-4222-8222-222222222222';

function ports(uses: readonly UseRow[], change: Partial<RotationViewPorts> = {}): RotationViewPorts {
  return {
    ...viewPorts(uses),
    settings: { vaults: VAULTS },
    keys: { listVersions: async () => [keyVersion(1), keyVersion(100)] },
    rollouts: { read: async () => undefined, async *all() {} },
    ...change,
  };
}

it.each([
  ['not known', undefined, { state: 'underWay', moved: 1, waiting: 1 }],
  ['the one of what has moved', [ELSEWHERE.toUpperCase()], { state: 'finished', moved: 1, waiting: 0 }],
  ['the one of what has not', [SUBSCRIPTION], { state: 'underWay', moved: 0, waiting: 1 }],
])('A rotation waits for nothing in subscriptions that are not looked after: %s', async (_, subscriptions, is) => {
  const uses = [useRow(1, OLD), useRow(2, { account: accountId(2, ELSEWHERE) })];
  expect(await readKeyRotation(KEY, ports(uses, { inSight: async () => subscriptions }))).toMatchObject(is);
});

it('A rotation names its accounts whose move Azure Policy would deny, before any move, and no other account', async () => {
  const denied = [1, 2, 3].map((n) => ({ account: accountId(n).toUpperCase(), detail: `denied ${n}` }));
  const uses = [useRow(1), useRow(2, { scope: 'scope1' })];
  const read = { deniedMoves: { read: async () => denied } };

  expect(await readKeyRotation(KEY, ports(uses, read))).toMatchObject({ state: 'finished', deniedMoves: [denied[0]] });
  expect(await readKeyRotation(KEY, ports([useRow(4)], read))).not.toHaveProperty('deniedMoves');
});

/** A rollout of a key that was last decided on that day. */
const rollout = (name: string, on: number, unfinished = 0) => {
  const times = { progressOn: day(on).toISOString(), checkedOn: NOW.toISOString() };
  const row: RolloutRow = { target: 'v', stage: 'rest', canaries: [], proven: false, unfinished, failed: 0, ...times };
  return { name: `https://kv-files.vault.azure.net/keys/${name}`, row };
};

function listOf(all: readonly ReturnType<typeof rollout>[], change: Partial<RotationViewPorts> = {}) {
  const rollouts: RotationViewPorts['rollouts'] = {
    read: async () => undefined,
    async *all() {
      for (const one of all) yield { ...one, etag: '' };
    },
  };
  return { list: (after?: string) => listRotations(ports([], { rollouts, ...change }), after, 50) };
}

it('The list has the rollouts that are not finished, or moved something within a week', async () => {
  const order = { name: 'rekey-1', row: rollout('x', 199).row };
  const { list } = listOf([rollout('late', 199), rollout('old', 190), rollout('open', 1, 3), order]);
  const { value } = await list();
  expect(value.map(({ key }) => key.split('/').at(-1))).toEqual(['late', 'open']);
});

it('The list has pages of 50, in order of the keys', async () => {
  const names = Array.from({ length: 60 }, (_, n) => `k${String(99 - n)}`);
  const { list } = listOf(names.map((name) => rollout(name, 199)));
  const first = await list();
  const second = await list(first.next);
  const keys = [...first.value, ...second.value].map(({ key }) => key.split('/').at(-1));
  expect([first.value.length, second.next]).toEqual([50, undefined]);
  expect(keys).toEqual([...names].sort());
});

it('The listings are read once for all rotations of a page, and a rotation that cannot be read is unknown', async () => {
  let lists = 0;
  const { list } = listOf([rollout('a', 199), rollout('b', 199), rollout('gone', 199)], {
    settings: { vaults: VAULTS as Pick<ManagedVaults, 'key'> },
    inSight: async () => [SUBSCRIPTION, SUBSCRIPTION.toUpperCase(), ELSEWHERE],
    keys: {
      async listVersions({ name }) {
        if (name === 'gone') throw new Error('no answer');
        return [keyVersion(100)];
      },
    },
    fleet: {
      async listings() {
        lists += 1;
        return new Map([[ELSEWHERE, NOW]]);
      },
    },
  });

  const { value } = await list();
  expect(value).toMatchObject([
    { state: 'finished', unlisted: 1 },
    { state: 'finished', unlisted: 1 },
    { state: 'unknown', detail: expect.any(String) },
  ]);

  expect(lists).toBe(1);
});
