import { describe, expect, it } from 'vitest';
import { describeCause, describeEffect, describeNextStep } from '../../src/status/cause-sentence.ts';

const GROUP = '/subscriptions/5b0d/resourceGroups/rg-files/providers';
const ACCOUNT = `${GROUP}/Microsoft.Storage/storageAccounts/stfiles01`;
const VAULT = `${GROUP}/Microsoft.KeyVault/vaults/kv-files`;
const KEY = 'https://kv-files.vault.azure.net/keys/files-key';

describe('the sentence of a cause', () => {
  const ID = `${GROUP}/Microsoft.ManagedIdentity/userAssignedIdentities/id-storage`;
  const fails = (what: string, accounts: number) =>
    `${what} no role on kv-files; ${accounts} accounts cannot use their keys there.`;
  const contested =
    'stfiles01 was set back to an older key version three times within an hour; the app has stopped repairing it.';
  const locked = 'A lock keeps the app from moving stfiles01 to the newest version of its key.';

  it.each([
    ['IdentityWithoutRole', [ID, VAULT], 12, [ACCOUNT], fails('id-storage has', 10)],
    [
      'IdentityWithoutRole',
      ['/subscriptions/5b0d', VAULT],
      2,
      [ACCOUNT],
      fails('The own identities of accounts have', 2),
    ],
    ['NearExpiry', [KEY], 1, [KEY], 'kv-files/files-key expires soon.'],
    ['NoRotationPolicy', [KEY], 1, [KEY], 'No rotation policy: kv-files/files-key.'],
    ['UnexpectedKey', [KEY], 3, [ACCOUNT], 'Unexpected key: 3 accounts (kv-files/files-key).'],
    ['StaleKeyVersion', [KEY], 1, [ACCOUNT], 'An older version of kv-files/files-key is still used by stfiles01.'],
    ['KeyExpired', [KEY], 1, [KEY], 'kv-files/files-key has expired.'],
    ['KeyExpired', [KEY], 4, [ACCOUNT, KEY], '4 accounts use an expired version of kv-files/files-key.'],
    ['ScopeLocked', [ACCOUNT], 1, [ACCOUNT], locked],
    ['EventSubscriptionMissing', [VAULT], 1, [VAULT], 'An event subscription of the vault kv-files is missing.'],
    ['ContestedChange', [ACCOUNT], 1, [ACCOUNT], contested],
    ['PinnedVersion', [], 2, [`${ACCOUNT}/encryptionScopes/one`], 'Pinned version: 2 resources.'],
  ])('The sentence of the cause %s names its resource, and no id', (reason, about, affected, sample, sentence) => {
    const accounts = sample[0] === ACCOUNT ? Math.min(affected, 10) : 0;
    expect(describeCause({ reason, about, affected, accounts, sample })).toBe(sentence);
  });
});

describe('what a cause means for data', () => {
  const MISSING = 'No event subscription delivers Microsoft.KeyVault.KeyNewVersionCreated to func-cmk.';
  it.each([
    ['IdentityWithoutRole', '', true, 'Reads and writes of data fail, or will fail soon.'],
    ['ScopeLocked', '', true, 'Data can still be read and written, with the older key version.'],
    ['ContestedChange', '', false, 'This alone does not keep data from being read or written.'],
    ['KeyExpired', '', true, 'Data can still be read and written; no other account can be put on the expired version.'],
    [
      'EventSubscriptionMissing',
      MISSING,
      true,
      'New key versions are noticed by the hourly check instead of within seconds. Data can still be read and written.',
    ],
    ['NearExpiry', '', true, ''],
  ])('The page tells what the cause %s means for data', (reason, is, isServing, effect) => {
    expect(describeEffect({ reason, is, accounts: 1 }, isServing)).toBe(effect);
  });
});

describe('the next step', () => {
  const fix = 'Stop the other party. Release the account.';
  const by = { on: '2026-11-30T05:29:00Z', operation: '', resource: ACCOUNT, confirmed: true };
  it.each([
    [
      'the client that sets an account back',
      { ...by, objectId: '0b1e' },
      'that client (`az ad sp show --id 0b1e` shows its name)',
    ],
    ['the person that sets it back', { ...by, objectId: '0b1e', name: 'bob@example.com' }, 'bob@example.com'],
    ['no command with a malformed id', { ...by, objectId: "0';rm" }, 'that client'],
  ])('The next step names %s', (_, changedBy, who) => {
    const step = describeNextStep({ reason: 'ContestedChange', about: [ACCOUNT], fix, changedBy });
    expect(step).toBe(`Stop ${who}, then release stfiles01.`);
  });

  it('The next step is the first sentence of the fix if the other party is unknown', () => {
    expect(describeNextStep({ reason: 'ContestedChange', about: [ACCOUNT], fix })).toBe('Stop the other party.');
  });
});
