import { expect, it } from 'vitest';
import type { FleetAccount } from '../../src/index/fleet-index.ts';
import type { UseRow } from '../../src/index/use-row.ts';
import type { WorkItem } from '../../src/index/work-items.ts';
import type { KeyVersion } from '../../src/keys/key-versions.ts';
import { readKeySummary } from '../../src/status/key-summary.ts';
import { day, KEY, keyVersion, SUBSCRIPTION } from '../support/keys.ts';
import { NOW, viewPorts } from './use-rows.ts';

interface Index {
  readonly listed?: readonly string[];
  readonly uses?: readonly UseRow[];
  readonly items?: readonly WorkItem[];
  readonly accounts?: readonly FleetAccount[];
}

/** How a key of these versions is shown in the list of keys. */
function summaryOf(versions: KeyVersion[], index: Index = {}) {
  const { listed = [SUBSCRIPTION], uses = [], items = [], accounts = [] } = index;
  const ports = {
    ...viewPorts(uses),
    keys: { listVersions: async () => versions, rotationPolicy: async () => ({ rotates: false }) },
    fleet: {
      async *accounts() {
        yield* accounts;
      },
      listings: async () => new Map(listed.map((id) => [id, NOW])),
    },
    workItems: {
      async *all() {
        yield* items;
      },
    },
  };

  return readKeySummary(KEY, ports, new AbortController().signal);
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

const ACCOUNT = `/subscriptions/${SUBSCRIPTION}/resourceGroups/rg-files/providers/Microsoft.Storage/storageAccounts/st1`;
const PENDING = { state: 'pending', at: NOW.toISOString(), attempts: 0 } as const;
const USE: UseRow = {
  account: ACCOUNT,
  location: 'westeurope',
  key: KEY.id,
  mode: 'automatic',
  readOn: NOW.toISOString(),
  ...PENDING,
};
const CAUSE = { by: 'list', ref: '', since: NOW.toISOString() };
const SCOPES: WorkItem = {
  subscription: SUBSCRIPTION,
  kind: 'scopes',
  about: '',
  due: NOW,
  since: NOW,
  cause: CAUSE,
  attempts: 0,
  etag: '',
};
const UNLISTED: FleetAccount = {
  account: ACCOUNT,
  location: 'westeurope',
  scopeKeys: [],
  writtenOn: NOW.toISOString(),
};

it.each([
  ['no subscription is listed', { listed: [] }, 'FleetNotListed', /^Not known yet: .* 1 subscription /],
  [
    'encryption scopes of accounts were never listed',
    { items: [SCOPES], accounts: [UNLISTED] },
    'ScopesNotListed',
    /^The app has not listed the encryption scopes /,
  ],
])('The users of a key are unknown while %s', async (_, index, reason, detail) => {
  const { users, unread } = await summaryOf([keyVersion(1)], index);
  expect(users).toBeUndefined();
  expect(unread).toEqual([{ what: 'who uses the key', reason, detail: expect.stringMatching(detail) }]);
});

it('The users of a key are incomplete while encryption scopes of accounts were never listed', async () => {
  const { users, rotation } = await summaryOf([keyVersion(1)], { uses: [USE], items: [SCOPES], accounts: [UNLISTED] });
  expect(users).toMatchObject({ accounts: 1, complete: false });
  expect(rotation).toBeDefined();
});

it('The users of a key are complete while scopes are listed again', async () => {
  const listed: FleetAccount = { ...UNLISTED, scopesReadOn: NOW.toISOString() };
  const { users } = await summaryOf([keyVersion(1)], { uses: [USE], items: [SCOPES], accounts: [listed] });
  expect(users?.complete).toBe(true);
});
