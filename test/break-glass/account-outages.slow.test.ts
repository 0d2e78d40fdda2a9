import { expect, it } from 'vitest';
import { accountOfCall, revocableOfCall } from '../../src/break-glass/account-of-call.ts';
import { handleAccountRestore } from '../../src/break-glass/handle-account-restore.ts';
import { handleAccountRevoke } from '../../src/break-glass/handle-account-revoke.ts';
import { callOf } from '../../src/break-glass/to-json.ts';
import type { Services } from '../../src/services.ts';
import { TestKey } from '../support/fleet.ts';
import { useWire } from '../support/wire.ts';
import { person } from './break-glass-fixture.ts';

const wire = useWire();
const down = async (): Promise<never> => {
  throw Object.assign(new Error('getaddrinfo ENOTFOUND'), { code: 'ENOTFOUND' });
};
const hanging = (): Promise<never> => new Promise(() => {});

it.each([
  ['down', down],
  ['hanging', hanging],
])(
  'is revoked and restored while queue, tables and leases are %s, and what was not written is said',
  async (_, call) => {
    const key = new TestKey(wire.azure.world);
    const account = key.account('pinned', { identity: undefined as never });
    const real = wire.services();
    const anything = () => new Proxy({}, { get: () => call });
    const services: Services = {
      ...real,
      audit: async () => ({ failed: 'the storage of the app cannot be reached' }),
      queue: { ...real.queue, send: call },
      fleet: anything() as Services['fleet'],
      accountTrail: call,
      leases: anything() as Services['leases'],
    };
    const rolesOf = () =>
      [...wire.azure.world.roleAssignments.values()].filter(
        ({ principalId }) => principalId === account.identity?.principalId,
      );
    const before = rolesOf().length;
    const revocable = await revocableOfCall(await accountOfCall(account.name, services), 'identity', services);
    const why = { reason: 'testing' };
    const started = performance.now();
    const revoked = await handleAccountRevoke(
      revocable,
      { ...why, confirm: account.name },
      callOf(person('alice'), 'c1', why),
      services,
      wire.log,
    );
    expect(revoked).toMatchObject({ reason: 'AccountRevoked', complete: true });
    expect(revoked.warnings.join(' ')).toMatch(/Not in the audit trail.*The account is not looked at now/);
    expect(rolesOf()).toEqual([]);
    // The log has it all the same.
    expect(wire.records.map(({ reason }) => reason)).toContain('AccountRevoked');

    const { id } = revoked.revocation ?? { id: '' };
    const restored = await handleAccountRestore(
      revocable,
      { revocation: id },
      callOf(person('bob'), 'c2', why),
      () => {},
      services,
      wire.log,
    );
    expect(restored).toMatchObject({ reason: 'AccountRestored', complete: true });
    expect(restored.warnings.join(' ')).toContain('had found what was given is not known');
    expect(rolesOf()).toHaveLength(before);
    expect(performance.now() - started).toBeLessThan(30_000);
  },
);
