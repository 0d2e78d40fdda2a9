import { expect, it } from 'vitest';
import type { FleetUse, UnaskedAccount } from '../../src/fleet/fleet-index.ts';
import type { KeyVersion } from '../../src/keys/key-versions.ts';
import { KnownOrders } from '../../src/orders/known-orders.ts';
import { NO_ORDERS } from '../../src/orders/standing-orders.ts';
import { readSummary } from '../../src/overview/key-summary.ts';
import { writesOf } from '../../src/rollout/create-rollout-services.ts';
import { NOW } from '../rollout/rollout-fixture.ts';
import { day, KEY, keyVersion, SUBSCRIPTION, VAULTS } from '../support/keys.ts';

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
    readonly uses?: readonly FleetUse[];
    readonly unasked?: readonly UnaskedAccount[];
    readonly scopeDiscovery?: 'all' | 'dependents';
  } = {},
) {
  const now = () => NOW;
  const each = async function* <T>(rows: readonly T[]) {
    yield* rows;
  };
  return readSummary(
    KEY,
    {
      settings: { refreshAutomatic: true, canary: 0, drift: { exemptions: [] }, vaults: VAULTS, scopeDiscovery },
      keys: { listVersions: async () => versions, rotationPolicy: async () => ({ rotates: false }) },
      inSight: async () => undefined,
      fleet: {
        uses: () => each(uses),
        unasked: () => each(unasked),
        listings: async () => new Map(listed.map((id) => [id, NOW])),
      },
      rotationNotes: { all: async function* () {}, of: async () => undefined, put: async () => {} },
      control: new KnownOrders({ read: async () => NO_ORDERS }, now),
      writeBudgets: writesOf(1),
      now,
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
const USE: FleetUse = { ...UNASKED, key: KEY.id, mode: 'automatic', readOn: NOW.toISOString() };

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
