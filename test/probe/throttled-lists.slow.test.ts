import { expect, it } from 'vitest';
import { benchFleet } from '../../local/azure/bench-fleet.ts';
import { createManagedKey } from '../../src/keys/managed-vaults.ts';
import { probeKey } from '../../src/probe/probe-work.ts';
import type { ProbeWork, Work } from '../../src/work/messages.ts';
import { markVersion, probeMessage } from '../support/probe-message.ts';
import { useWire } from '../support/wire.ts';

const wire = useWire({ fleet: 'empty' });

it('The probe sees the effect on each of 160 dependents in a region that throttles lists, and keeps it recorded', async () => {
  const { world, clock } = wire.azure;
  const size = { accounts: 160, subscriptions: 1, regions: ['westeurope'], shares: ['share1'] };
  const { vault, keyName } = benchFleet(world, size);

  Object.assign(world.settings, { throttle: true, fileServiceDelayMs: 0 });

  const own = wire.services({ CMK_VAULTS: vault.id, CMK_SUBSCRIPTIONS: '' });
  const sent: { work: Work; delaySeconds: number }[] = [];
  const send = async (_: unknown, work: Work, delaySeconds = 0) => {
    sent.push({ work, delaySeconds });
  };
  const services = { ...own, queue: { ...own.queue, send } };
  const [managed] = services.settings.vaults.all;
  if (!managed) throw new Error('The vault is not managed.');

  const key = createManagedKey(managed, keyName);

  for (const version of vault.keys.get(keyName)?.versions ?? []) markVersion(version, 'blocked', clock.now());

  const blocked: number[] = [];
  let work: Work | undefined = probeMessage(key, { by: 'revoke', ref: 'call', since: '' });
  while (work) {
    await probeKey(work as ProbeWork, services, wire.log);

    const effect = await services.effects.read(key);
    blocked.push(effect?.accounts.filter(({ state }) => state === 'blocked').length ?? 0);

    const next = sent.shift();
    clock.advance((next?.delaySeconds ?? 0) * 1000);
    work = next?.work;
  }

  expect(blocked).toEqual(blocked.toSorted((a, b) => a - b));
  expect(blocked.at(-1)).toBe(160);
  expect(wire.records.at(-1)).toMatchObject({ reason: 'EffectSeen' });
});
