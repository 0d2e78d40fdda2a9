import { describe, expect, it } from 'vitest';
import type { ManagedKey } from '../../src/keys/managed-vaults.ts';
import type { EffectTime } from '../../src/probe/effect.ts';
import { createEffectStore } from '../../src/probe/effect-store-client.ts';
import type { Services } from '../../src/services.ts';
import { managed } from '../break-glass/break-glass-fixture.ts';
import { TestKey } from '../support/fleet.ts';
import { keyStatus } from '../support/key-calls.ts';
import { useWire } from '../support/wire.ts';

const wire = useWire();
const since = '2026-01-05T08:00:00.000Z';
const UNREACHABLE =
  'DefaultEndpointsProtocol=http;AccountName=a;AccountKey=YQ==;BlobEndpoint=http://127.0.0.1:9/a;QueueEndpoint=http://127.0.0.1:9/a;TableEndpoint=http://127.0.0.1:9/a';

/** As if a key had been revoked once, and two accounts had been dark after 8 and 40 s, and one not within half an hour. */
async function revokedOnce(key: ManagedKey, effects: Services['effects']): Promise<void> {
  const change = { expect: 'blocked', since } as const;
  const time = (n: number, seen: object): EffectTime => ({ account: `/a/st${n}`, service: 'file', ...change, ...seen });
  const times = [time(1, { seconds: 8 }), time(2, { seconds: 40, notWithin: 20 }), time(3, { notWithin: 1_800 })];
  await effects.update(key, () => ({ key: key.id, change, complete: true, accounts: [], times }));
}

const FIGURES = { measured: 2, notSeen: 1, accounts: 3, changes: 1, p50Seconds: 40, followedSeconds: 1_800, since };

describe('the status of a key', () => {
  it('has how long earlier revocations took to show, although the key is restored since', async () => {
    const key = new TestKey(wire.azure.world);
    const services = wire.services();
    expect((await keyStatus(managed(key, services), services)).effectTimes).toEqual([]);
    await revokedOnce(managed(key, services), services.effects);
    const { effectTimes } = await keyStatus(managed(key, services), services);
    expect(effectTimes).toMatchObject([{ expect: 'blocked', service: 'file', ...FIGURES }]);
    // A third was not seen to show it: nobody knows within what time 95 in 100 do.
    expect(effectTimes?.[0]?.p95Seconds).toBeUndefined();
  });

  it('is told without them, and says so, while the storage of the app is away', async () => {
    const key = new TestKey(wire.azure.world);
    const services = wire.services();
    const away = {
      ...services,
      effects: createEffectStore({ storage: { connectionString: UNREACHABLE } }, () => {
        throw new Error('unused');
      }),
    };

    const status = await keyStatus(managed(key, services), away);
    expect(status.versions).toHaveLength(1);
    expect(status.effectTimes).toBeUndefined();
    expect(status.warnings.join()).toContain('The app cannot read the probe results');
  });
});
