import { describe, expect, it } from 'vitest';
import { asSpelled, managedKey } from '../../src/keys/managed-vaults.ts';
import { KEY, versionName } from '../support/keys.ts';

describe('a key as Key Vault spells it', () => {
  const shouted = managedKey(KEY.vault, KEY.name.toUpperCase());

  it('has the name that stands in the identifiers of its versions', () => {
    expect(asSpelled(shouted, [{ id: `${KEY.id}/${versionName(1)}` }])).toEqual(KEY);
  });

  it.each([
    ['no version is known', []],
    ['a version is of another key', [{ id: `${KEY.vault.uri}/keys/other/${versionName(1)}` }]],
    ['a version has no identifier', [{ id: '' }]],
  ])('is left as it is when %s', (_, versions) => {
    expect(asSpelled(shouted, versions)).toBe(shouted);
  });
});
