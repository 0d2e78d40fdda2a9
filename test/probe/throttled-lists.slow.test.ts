import { expect, it } from 'vitest';
import { benchFleet } from '../../local/azure/bench-fleet.ts';
import { createManagedKey } from '../../src/keys/managed-vaults.ts';
import { probeKey } from '../../src/probe/probe-work.ts';
import { markVersion, probeMessage } from '../support/probe-message.ts';
import { useWire } from '../support/wire.ts';

const wire = useWire({ fleet: 'empty' });

it('The probe sees the effect on each of 160 dependents in a region that throttles lists, and keeps it recorded', async () => {
  const { world, clock } = wire.azure;
  const size = { accounts: 160, subscriptions: 1, regions: ['westeurope'], shares: ['share1'] };
  const { vault, keyName } = benchFleet(world, size);

  Object.assign(world.settings, { throttle: true, fileServiceDelayMs: 0 });

  const services = wire.services({ CMK_VAULTS: vault.id, CMK_SUBSCRIPTIONS: '' });
  const [managed] = services.settings.vaults.all;
  if (!managed) throw new Error('The vault is not managed.');

  const key = createManagedKey(managed, keyName);

  for (const version of vault.keys.get(keyName)?.versions ?? []) markVersion(version, 'blocked', clock.now());

  const blocked: number[] = [];
  const work = probeMessage(key, { by: 'revoke', ref: 'call', since: '' });
  for (let isDone = false; !isDone; ) {
    const outcome = await probeKey(work, services, wire.log);

    const effect = await services.effects.read(key);
    blocked.push(effect?.accounts.filter(({ state }) => state === 'blocked').length ?? 0);

    isDone = outcome.outcome !== 'again';

    if (outcome.outcome === 'again') clock.advance(outcome.delaySeconds * 1000);
  }

  expect(blocked).toEqual(blocked.toSorted((a, b) => a - b));
  expect(blocked.at(-1)).toBe(160);
  expect(wire.records.at(-1)).toMatchObject({ reason: 'EffectSeen' });
});
