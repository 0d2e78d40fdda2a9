import { expect, it } from 'vitest';
import { useAccounts } from './account-fixture.ts';

const { instance, key, reconcile, wire } = useAccounts();

it('accounts that are left alone take no reads from the others of their place', async () => {
  const files = key();
  const taken = files.account();
  const others = Array.from({ length: 60 }, () => files.account());
  files.add();
  const services = instance();
  const startMs = wire.azure.clock.nowMs();
  let passedMs = 0;
  const now = () => new Date(startMs + passedMs);
  // 24 that were in the hands of a process that was killed, each with one more message, which comes back every 5 s.
  const busy = { ...services, now, leases: { acquire: async () => undefined } };
  const since = wire.azure.requests.last;
  for (; passedMs < 155_000; passedMs += 250) {
    const outcome = await reconcile(files.accountWork(taken), busy);
    expect(outcome).toMatchObject({ outcome: 'retry', reason: 'Busy' });
  }
  expect(wire.arm(since)).toEqual([]);
  const waits: string[] = [];
  for (const account of others) {
    const outcome = await reconcile(files.accountWork(account), { ...services, now });
    if (outcome.outcome === 'retry') waits.push(`${outcome.reason} ${outcome.detail}`);
    passedMs += 100;
  }
  expect(waits).toEqual([]);
}, 120_000);
