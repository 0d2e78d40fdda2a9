import { expect, it } from 'vitest';
import { DeadlineError } from '../../src/azure/deadline.ts';
import { createKeyDenials } from '../../src/drift/gather/gather-vaults.ts';
import type { ManagedVault } from '../../src/keys/managed-vaults.ts';
import type { KeyPolicies } from '../../src/vaults/key-policy-client.ts';

it.each([
  ['three vaults if it does not respond', new DeadlineError('There was no answer', 15_000), 3],
  ['each vault if it rejects the reads', Object.assign(new Error('no'), { statusCode: 403 }), 20],
])('A check reads Azure Policy for %s, and reports every vault as unread', async (_, error, reads) => {
  let read = 0;
  const assignments = async () => {
    read += 1;
    throw error;
  };
  const policies = { assignments } as unknown as KeyPolicies;
  const denialsOf = createKeyDenials(policies, new Date(), undefined);
  for (let n = 0; n < 20; n += 1) {
    const { unread } = await denialsOf({ id: `/vaults/kv-${n}`, name: `kv-${n}`, kind: 'vault' } as ManagedVault);
    expect(unread).toMatchObject([{ resource: `/vaults/kv-${n}`, isOptional: true }]);
  }

  expect(read).toBe(reads);
});
