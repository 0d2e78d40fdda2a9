import { describe, expect, it } from 'vitest';
import { TestKey } from '../support/fleet.ts';
import { useWire } from '../support/wire.ts';
import { breakGlass, enabledOf } from './break-glass-fixture.ts';

const wire = useWire();
const { revoke, restore } = breakGlass(wire);
const about = (since: number) =>
  wire.azure.requests.since(since).filter(({ host, path }) => host.startsWith('hsm-') && /Authorization/.test(path));

describe('the local roles of a Managed HSM that does not answer about them', () => {
  it('keep no key from being revoked, nor from being given back in time, and it is said what is not known', async () => {
    const key = new TestKey(wire.azure.world, 'hsm-local');
    const accounts = [key.account(), key.account()];
    const services = wire.services();
    wire.azure.faults.add([{ match: { host: 'hsm-*', path: 'Microsoft.Authorization' }, hang: true }]);
    const since = wire.azure.requests.last;
    expect(await revoke(key, services)).toMatchObject({ complete: true });
    expect(about(since)).toEqual([]);
    const started = performance.now();
    const answer = await restore(key, services);
    expect(performance.now() - started).toBeLessThan(20_000);
    expect(enabledOf(key)).toEqual([true]);
    const undetermined = (account: string) => ({
      account,
      ready: 'unknown',
      missing: ['Azure did not answer in time.'],
    });
    expect(answer.complete).toBe(true);
    expect(new Set(answer.accounts)).toEqual(new Set(accounts.map(({ id }) => undetermined(id))));
    expect(about(since)).toHaveLength(1);
  });
});
