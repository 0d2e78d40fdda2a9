import { expect, it } from 'vitest';
import { NO_ORDERS } from '../../src/orders/standing-orders.ts';
import { type RotationPorts, rotateWhenDue } from '../../src/rotation/rotate-when-due.ts';
import { day, KEY, VAULTS } from '../support/keys.ts';
import { MemoryLeases } from '../support/memory-leases.ts';

it('A rotation that finds another one of its key under way is retried in time, and counts no attempt', async () => {
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

  const work = { kind: 'rotate', key: KEY.id, cause: { by: 'test', ref: '', since: '' } } as const;
  const outcome = await rotateWhenDue(work, ports, () => {});

  expect(outcome).toMatchObject({ outcome: 'retry', reason: 'RotationUnderWay', counts: false, delaySeconds: 30 });
});
