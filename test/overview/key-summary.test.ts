import { expect, it } from 'vitest';
import type { KeyVersion } from '../../src/keys/key-versions.ts';
import { readSummary } from '../../src/overview/key-summary.ts';
import { writesOf } from '../../src/rollout/create-rollout-services.ts';
import { NO_CONTROL } from '../../src/rollout/pause.ts';
import { StandingControl } from '../../src/rollout/standing-control.ts';
import { NOW } from '../rollout/rollout-fixture.ts';
import { day, KEY, keyVersion, SUBSCRIPTION, VAULTS } from '../support/keys.ts';

/** How a key of these versions is shown in the list of keys. */
function summaryOf(versions: KeyVersion[], listed: readonly string[] = [SUBSCRIPTION]) {
  const now = () => NOW;
  return readSummary(
    KEY,
    {
      settings: { refreshAutomatic: true, canary: 0, drift: { exemptions: [] }, vaults: VAULTS },
      keys: { listVersions: async () => versions, rotationPolicy: async () => ({ rotates: false }) },
      inSight: async () => undefined,
      fleet: { async *uses() {}, listings: async () => new Map(listed.map((id) => [id, NOW])) },
      rotationNotes: { all: async function* () {}, of: async () => undefined, put: async () => {} },
      control: new StandingControl({ read: async () => NO_CONTROL }, now),
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
  const { users, unread } = await summaryOf([keyVersion(1)], []);
  expect(users).toBeUndefined();
  expect(unread).toEqual([
    {
      what: 'who uses the key',
      reason: 'FleetNotListed',
      detail: expect.stringMatching(/^Not known yet: .* 1 subscription /),
    },
  ]);
});
