import { describe, expect, it } from 'vitest';
import type { KeyEffect } from '../../src/probe/effect.ts';
import { createEffectStore } from '../../src/probe/effect-store-client.ts';
import { managed } from '../break-glass/break-glass-fixture.ts';
import { TestKey } from '../support/fleet.ts';
import { keyStatus } from '../support/key-calls.ts';
import { useWire } from '../support/wire.ts';

const wire = useWire();
const since = '2026-01-05T08:00:00.000Z';
const UNREACHABLE =
  'DefaultEndpointsProtocol=http;AccountName=a;AccountKey=YQ==;BlobEndpoint=http://127.0.0.1:9/a;QueueEndpoint=http://127.0.0.1:9/a;TableEndpoint=http://127.0.0.1:9/a';

describe('the status of a key', () => {
  it('The status of a key shows after a restore how long the last revocation took until Storage refused', async () => {
    const key = new TestKey(wire.azure.world);
    const services = wire.services();
    expect((await keyStatus(managed(key, services), services)).refusedAfter).toBeUndefined();

    const record: KeyEffect = {
      key: key.id(),
      change: { expect: 'open', since },
      complete: true,
      accounts: [],
      refusedAfter: { revokedOn: since, seconds: 40 },
    };
    await services.effects.update(managed(key, services), () => record);

    const { refusedAfter } = await keyStatus(managed(key, services), services);
    expect(refusedAfter).toEqual({ revokedOn: since, seconds: 40 });
  });

  it('The status of a key has a warning while the app cannot read the probe results', async () => {
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
    expect(status.refusedAfter).toBeUndefined();
    expect(status.warnings.join()).toContain('The app cannot read the probe results');
  });
});
