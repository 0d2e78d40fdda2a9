import { expect, it } from 'vitest';
import { orderResume } from '../../src/rollout/order-pause.ts';
import { type ControlState, NO_CONTROL } from '../../src/rollout/pause.ts';
import { StandingControl } from '../../src/rollout/standing-control.ts';
import { day, KEY, keyVersion, VAULTS, versionName } from '../support/keys.ts';

/** Ordered of the key, whose newest version is of day 199, on an instance whose clock is so far off. */
async function resumed(clockMs: number, isVaultUp = true): Promise<StandingControl> {
  const now = () => new Date(day(199).getTime() + 10_000 + clockMs);
  let state: ControlState = NO_CONTROL;
  const control = new StandingControl({ read: async () => state }, now);
  const ports = {
    controlStore: {
      read: async () => state,
      update: async (change: (before: ControlState) => ControlState) => {
        state = change(state);
        return state;
      },
    },
    settings: { vaults: VAULTS },
    keys: {
      listVersions: async () => {
        if (!isVaultUp) throw new Error('no answer');
        return [keyVersion(100), keyVersion(199)];
      },
    },
    ...{
      control,
      now,
      queue: { send: async () => {} },
      newId: () => 'r',
      audit: async () => ({ written: 'now' }) as never,
    },
  };
  const caller = { objectId: 'o', appId: 'a' };
  await orderResume({ caller, correlationId: 'c', reason: 'known', key: KEY.id }, ports, () => {});
  return control;
}
const onto = (n: number) => ({ version: versionName(n), startedOn: day(n) });

it.each([-5, 0, 5])(
  'an order to go on holds for the rotation that it is given for (clock %i minutes off)',
  async (minutes) => {
    const control = await resumed(minutes * 60_000);
    expect(control.isOrderedOn(KEY.id, onto(199))).toBe(true);
    // One that begins a minute later, by Key Vault's clock.
    const next = { version: versionName(200), startedOn: new Date(day(199).getTime() + 60_000) };
    expect(control.isOrderedOn(KEY.id, next)).toBe(false);
  },
);

it('where the versions cannot be read it holds for what began before it', async () => {
  const control = await resumed(0, false);
  expect([onto(199), onto(200)].map((rotation) => control.isOrderedOn(KEY.id, rotation))).toEqual([true, false]);
});
