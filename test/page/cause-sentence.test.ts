import { describe, expect, it } from 'vitest';
import { causeSentence } from '../../page/src/views/cause-sentence.ts';

const GROUP = '/subscriptions/5b0d/resourceGroups/rg-files/providers';
const ACCOUNT = `${GROUP}/Microsoft.Storage/storageAccounts/stfiles01`;
const VAULT = `${GROUP}/Microsoft.KeyVault/vaults/kv-files`;
const KEY = 'https://kv-files.vault.azure.net/keys/files-key';

describe('the sentence of a cause', () => {
  it.each([
    [
      'IdentityWithoutRole',
      [`${GROUP}/Microsoft.ManagedIdentity/userAssignedIdentities/id-storage`, VAULT],
      12,
      [ACCOUNT],
      'id-storage has no role on kv-files; 10 accounts cannot use the key.',
    ],
    [
      'IdentityWithoutRole',
      ['/subscriptions/5b0d', VAULT],
      2,
      [ACCOUNT],
      'The own identities of accounts have no role on kv-files; 2 accounts cannot use the key.',
    ],
    ['NearExpiry', [KEY], 1, [KEY], 'kv-files/files-key expires soon.'],
    ['NoRotationPolicy', [KEY], 1, [KEY], 'No rotation policy: kv-files/files-key.'],
    ['UnexpectedKey', [KEY], 3, [ACCOUNT], 'Unexpected key: 3 accounts (kv-files/files-key).'],
    ['StaleKeyVersion', [KEY], 1, [ACCOUNT], 'An older version of kv-files/files-key is still used by stfiles01.'],
    ['KeyExpired', [KEY], 1, [KEY], 'kv-files/files-key has expired.'],
    [
      'KeyExpired',
      [KEY],
      4,
      [ACCOUNT, KEY],
      'kv-files/files-key has expired; 4 accounts can still be read, but Storage refuses the key for anything new.',
    ],
    ['PinnedVersion', [], 2, [`${ACCOUNT}/encryptionScopes/one`], 'Pinned version: 2 resources.'],
  ])('names what %s is about, and no id', (reason, about, affected, sample, sentence) => {
    const accounts = sample[0] === ACCOUNT ? Math.min(affected, 10) : 0;
    expect(causeSentence({ reason, about, affected, accounts, sample })).toBe(sentence);
  });
});
