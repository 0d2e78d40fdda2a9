import { expect, it } from 'vitest';
import type { BlobContainer } from '../../../local/azure/world.ts';
import { lockAuditTrail } from '../../../src/cli/procedures/app/audit-lock.ts';
import { texts, useProcedures } from '../../support/procedures.ts';

const procedures = useProcedures();
const POLICY = { days: 365, allowProtectedAppendWrites: true, state: 'Unlocked', etag: '"8d1"' } as const;

function site(immutability?: BlobContainer['immutability']) {
  const { account } = procedures.site();

  const container: BlobContainer = {
    name: 'cmk-audit',
    defaultEncryptionScope: undefined,
    blobs: new Map(),
    ...(immutability ? { immutability } : {}),
  };

  account.blobContainers.set(container.name, container);

  const asked: unknown[] = [];
  const confirm = async (...what: unknown[]) => {
    asked.push(what);
  };
  const lock = (confirmed = confirm, dryRun = false) =>
    procedures.run((operation) => lockAuditTrail({ account: account.name, confirm: confirmed }, operation), { dryRun });

  return { account, container, asked, lock };
}

it('the policy of the audit trail is locked after confirmation, and found locked the second time', async () => {
  const { account, container, asked, lock } = site(POLICY);
  const first = await lock();
  expect(first.result).toEqual({ account: account.id, locked: true, days: 365 });
  expect(container.immutability?.state).toBe('Locked');
  expect(asked).toEqual([[account.name, 365]]);
  const second = await lock();
  expect(second.changed).toBe(false);
  expect(texts(second, 'found')).toEqual([expect.stringContaining('is locked (365 days)')]);
  expect(asked).toHaveLength(1);
});

it('the policy is not locked in a dry run, nor without confirmation', async () => {
  const { container, asked, lock } = site(POLICY);
  expect(texts(await lock(undefined, true), 'planned')).toEqual([expect.stringContaining('is locked (365 days)')]);
  await expect(lock(() => Promise.reject(new Error('no')))).rejects.toThrow('no');
  expect([container.immutability?.state, asked]).toEqual(['Unlocked', []]);
});

it.each([
  ['that does not exist', undefined, 'NotFound'],
  ['that does not let the trail grow', { ...POLICY, allowProtectedAppendWrites: false }, 'Refused'],
])('a policy %s is not locked', async (_, policy, reason) => {
  const { container, lock } = site(policy);
  await expect(lock()).rejects.toMatchObject({ reason });
  expect(container.immutability).toEqual(policy);
});
