import { expect, it } from 'vitest';
import { NO_ORDERS } from '../../src/orders/standing-orders.ts';
import { type RotationPorts, rotateWhenDue } from '../../src/rotation/rotate-when-due.ts';
import { day, KEY, VAULTS } from '../support/keys.ts';
import { MemoryLeases } from '../support/memory-leases.ts';

/** How long the lease of a dead holder lasts at most. Seconds. */
const LEASE_SECONDS = 60;

it('A message that finds a rotation of its key under way is dropped after a few tries, and not before the lease of a dead holder ends', async () => {
  const now = () => day(60);
  const leases = new MemoryLeases(now);

  await leases.acquire(`key/kv-files.vault.azure.net/${KEY.name}`);

  const unused = async () => Promise.reject(new Error('Another worker holds the lease.'));
  const ports: RotationPorts = {
    settings: { vaults: VAULTS },
    keys: { listVersions: unused, rotationPolicy: unused, rotate: unused, updateVersion: unused },
    leases,
    orderStore: { read: async () => NO_ORDERS },
    dependents: unused,
    audit: unused,
    now,
  };

  let tries = 0;
  let seconds = 0;
  for (let isDone = false; !isDone; ) {
    const work = { kind: 'rotate', key: KEY.id, cause: { by: 'test', ref: '', since: '' }, attempt: 0, tries } as const;
    const outcome = await rotateWhenDue(work, ports, () => {});

    isDone = outcome.outcome === 'done';

    if (outcome.outcome !== 'retry') continue;

    tries = outcome.tries ?? tries;
    seconds += outcome.delaySeconds ?? 0;

    expect(seconds).toBeLessThan(300);
  }

  expect(seconds).toBeGreaterThan(LEASE_SECONDS);
});
