import { describe, expect, it } from 'vitest';
import type { Account } from '../../src/accounts/account.ts';
import { parseResourceId, type ResourceId } from '../../src/azure/resource-id.ts';
import { checkKeyAccess } from '../../src/identities/check-key-access.ts';
import { vaultNamed } from '../support/fleet.ts';
import { useWire } from '../support/wire.ts';

const wire = useWire();
const world = () => wire.azure.world;

async function accountsNamed(...names: string[]): Promise<Account[]> {
  const { accounts } = wire.services();
  return Promise.all(
    names.map((name) => accounts.get(parseResourceId(world().storageAccounts.get(name)?.id ?? '') as ResourceId)),
  );
}

async function check(vault: string, key: string, accounts: readonly Account[], signal?: AbortSignal) {
  const services = wire.services({ CMK_VAULTS: vaultNamed(world(), vault).id });
  const managed = services.settings.vaults.key(`https://${vault}.vault.azure.net/keys/${key}`);
  if (!managed) throw new Error('The vault is not managed.');
  return checkKeyAccess(accounts, managed, services, signal);
}

describe('checkKeyAccess', () => {
  it('checkKeyAccess is ready with the role on the vault, for both kinds of identity, and asks once for each principal', async () => {
    const files = await accountsNamed('stfiles01', 'stfiles02', 'stfiles03');
    const since = wire.azure.requests.last;
    expect((await check('kv-files', 'files-key', files)).map(({ ready }) => ready)).toEqual([true, true, true]);
    expect(wire.arm(since, /roleAssignments/).length).toBe(1);
    expect(wire.arm(since, /userAssignedIdentities/).length).toBe(1);
    const records = await accountsNamed('strecords01', 'strecords02');
    expect((await check('kv-records', 'records-key', records)).map(({ ready }) => ready)).toEqual([true, true]);
  });

  it.each([
    ['the vault', 'kv-files\\?'],
    ['the role assignments', 'roleAssignments'],
    ['a role definition', 'roleDefinitions'],
    ['the identity', 'userAssignedIdentities'],
  ])('checkKeyAccess is unknown when %s cannot be read', async (_, path) => {
    const accounts = await accountsNamed('stfiles01');
    wire.azure.faults.add([
      { match: { path }, answer: { status: 403, body: { error: { code: 'AuthorizationFailed' } } } },
    ]);
    expect(await check('kv-files', 'files-key', accounts)).toMatchObject([
      { ready: 'unknown', missing: [expect.stringContaining('AuthorizationFailed')] },
    ]);
  });

  it.each(['roleAssignments', 'userAssignedIdentities'])(
    'checkKeyAccess waits for %s no longer than its time limit',
    async (path) => {
      const accounts = await accountsNamed('stfiles01');
      wire.azure.faults.add([{ match: { path }, hang: true }]);
      const started = Date.now();
      expect(await check('kv-files', 'files-key', accounts, AbortSignal.timeout(300))).toMatchObject([
        { ready: 'unknown' },
      ]);
      expect(Date.now() - started).toBeLessThan(20_000);
    },
  );
});
