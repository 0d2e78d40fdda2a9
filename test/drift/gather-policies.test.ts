import { describe, expect, it } from 'vitest';
import { DeadlineError } from '../../src/azure/deadline.ts';
import { GatheredPolicies } from '../../src/drift/gather/gather-policies.ts';
import type { ManagedVault } from '../../src/keys/managed-vaults.ts';
import type { KeyPolicies } from '../../src/vaults/key-policy-client.ts';

const NOW = new Date('2026-06-01T12:00:00Z');

function vault(n: number): ManagedVault {
  const id = `/subscriptions/s/resourceGroups/rg/providers/Microsoft.KeyVault/vaults/kv-${n}`;
  return { id, name: `kv-${n}`, kind: 'vault', uri: `https://kv-${n}.vault.azure.net` } as ManagedVault;
}

/** Azure Policy that fails as told; how often it was asked for assignments. */
function failing(error: () => Error) {
  let asked = 0;
  const policies: KeyPolicies = {
    assignments: async () => {
      asked += 1;
      throw error();
    },
    initiative: () => Promise.reject(error()),
    exemptions: () => Promise.reject(error()),
  };
  return { gathered: new GatheredPolicies(policies, NOW, undefined), asked: () => asked };
}

describe('Azure Policy of two hundred vaults', () => {
  const all = async (gathered: GatheredPolicies) => {
    const found = [];
    for (let n = 1; n <= 200; n += 1) found.push(await gathered.of(vault(n)));
    return found;
  };

  it('is asked no more in a check where it hangs: the rest of the check has its time, and each vault is told', async () => {
    const { gathered, asked } = failing(() => new DeadlineError('There was no answer', 15_000));
    const found = await all(gathered);
    expect(asked()).toBe(3);
    expect(found.every(({ denials, unread }) => denials.length === 0 && unread[0]?.beside === true)).toBe(true);
    expect(new Set(found.flatMap(({ unread }) => unread.map(({ resource }) => resource))).size).toBe(200);
  });

  it('is asked for each where it refuses', async () => {
    const { gathered, asked } = failing(() => Object.assign(new Error('no'), { statusCode: 403 }));
    await all(gathered);
    expect(asked()).toBe(200);
  });
});
