import { expect, it } from 'vitest';
import type { UnaskedAccount } from '../../src/fleet/fleet-index.ts';
import type { UseRow } from '../../src/fleet/use-row.ts';
import type { KeyVersion } from '../../src/keys/key-versions.ts';
import { readKeySummary } from '../../src/views/key.ts';
import { day, KEY, keyVersion, SUBSCRIPTION } from '../support/keys.ts';
import { NOW, viewPorts } from './use-rows.ts';

/** How a key of these versions is shown in the list of keys. */
function summaryOf(
  versions: KeyVersion[],
  {
    listed = [SUBSCRIPTION],
    uses = [],
    unasked = [],
    scopeDiscovery = 'all',
  }: {
    readonly listed?: readonly string[];
    readonly uses?: readonly UseRow[];
    readonly unasked?: readonly UnaskedAccount[];
    readonly scopeDiscovery?: 'all' | 'dependents';
  } = {},
) {
  return readKeySummary(
    KEY,
    {
      ...viewPorts(uses),
      settings: { refreshAutomatic: true, scopeDiscovery },
      keys: { listVersions: async () => versions, rotationPolicy: async () => ({ rotates: false }) },
      fleet: {
        async *unasked() {
          yield* unasked;
        },
        listings: async () => new Map(listed.map((id) => [id, NOW])),
      },
    },
    new AbortController().signal,
  );
}

it.each([
  ['expired, and when', [keyVersion(1, { expiresOn: day(100) })], 'expired', day(100)],
  ['usable, and when it expires', [keyVersion(1, { expiresOn: day(300) })], 'usable', day(300)],
  [
    'usable until the version in use expires, where a newer one is disabled',
    [keyVersion(1, { expiresOn: day(300) }), keyVersion(2, { enabled: false })],
    'usable',
    day(300),
  ],
  ['usable without an end', [keyVersion(1)], 'usable', undefined],
])('a key is shown as %s', async (_, versions, state, expiresOn) => {
  const shown = await summaryOf(versions);
  expect([shown.state, shown.expiresOn]).toEqual([state, expiresOn?.toISOString()]);
});

it('who uses a key is not known yet while no subscription is listed', async () => {
  const { users, unread } = await summaryOf([keyVersion(1)], { listed: [] });
  expect(users).toBeUndefined();
  expect(unread).toEqual([
    {
      what: 'who uses the key',
      reason: 'FleetNotListed',
      detail: expect.stringMatching(/^Not known yet: .* 1 subscription /),
    },
  ]);
});

const ACCOUNT = `/subscriptions/${SUBSCRIPTION}/resourceGroups/rg-files/providers/Microsoft.Storage/storageAccounts/st1`;
const UNASKED: UnaskedAccount = { account: ACCOUNT, location: 'westeurope' };
const PENDING = { state: 'pending', at: NOW.toISOString(), attempts: 0 } as const;
const USE: UseRow = { ...UNASKED, key: KEY.id, mode: 'automatic', readOn: NOW.toISOString(), ...PENDING };

it('who uses a key is not known yet while accounts were not asked for their encryption scopes', async () => {
  const { users, unread } = await summaryOf([keyVersion(1)], { unasked: [UNASKED] });
  expect(users).toBeUndefined();
  expect(unread).toEqual([
    {
      what: 'who uses the key',
      reason: 'ScopesNotListed',
      detail: expect.stringMatching(/^Not known yet: the encryption scopes /),
    },
  ]);
});

it('a key that is used may have more users while accounts were not asked for their encryption scopes', async () => {
  const { users, rotation } = await summaryOf([keyVersion(1)], { uses: [USE], unasked: [UNASKED] });
  expect(users).toMatchObject({ accounts: 1, complete: false });
  expect(rotation).toBeDefined();
});

it.each([
  [{ ...UNASKED }, false],
  [{ ...UNASKED, key: 'https://kv-files.vault.azure.net/keys/other' }, false],
  [{ ...UNASKED, key: KEY.id }, true],
])('where scopes are looked for on dependents alone, no other account is waited for: %j', async (unasked, isWaited) => {
  const { users } = await summaryOf([keyVersion(1)], { uses: [USE], unasked: [unasked], scopeDiscovery: 'dependents' });
  expect(users?.complete).toBe(!isWaited);
});
