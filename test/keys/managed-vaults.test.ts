import { describe, expect, it } from 'vitest';
import { createManagedKey, ManagedVaults, withSpelling } from '../../src/keys/managed-vaults.ts';
import { KEY } from '../support/keys.ts';

describe('a key as Key Vault spells it', () => {
  const shouted = createManagedKey(KEY.vault, KEY.name.toUpperCase());

  it('A key as Key Vault spells it has the name of its versions', () => {
    expect(withSpelling(shouted, [{ keyName: KEY.name }])).toEqual(KEY);
  });

  it('A key has the same id in every spelling', () => {
    expect(shouted.id).toBe(KEY.id);
  });

  it.each([
    ['no version is known', []],
    ['a version is of another key', [{ keyName: 'other' }]],
  ])('A key keeps its spelling when %s', (_, versions) => {
    expect(withSpelling(shouted, versions)).toBe(shouted);
  });
});

describe('an unmanaged vault', () => {
  const { vault } = KEY;
  const vaults = new ManagedVaults([vault]);

  it('An unmanaged vault does not match by a name or address that shares its beginning or end with a managed one', () => {
    const { name, uri } = vault;
    const found = [vaults.byName(name.toUpperCase()), vaults.byUri(uri), vaults.byId(vault.id)];

    expect(found).toEqual([vault, vault, vault]);

    const cut = ['', name.slice(0, -1), name.slice(1)];
    for (const other of [...cut, `${name}2`, `x${name}`, `${name}/`, `${name}.evil`, name.replace('k', '\u212a')]) {
      expect(vaults.byName(other)).toBeUndefined();
      expect(vaults.byUri(uri.replace(name, other))).toBeUndefined();
      expect(vaults.key(KEY.id.replace(name, other))).toBeUndefined();
    }

    for (const other of [`${uri}.evil.test`, uri.replace('https', 'http'), `${uri}:8443`, uri.replace('//', '//a@')]) {
      expect(vaults.byUri(other), other).toBeUndefined();
      expect(vaults.key(`${other}/keys/${KEY.name}`), other).toBeUndefined();
    }

    for (const other of [`${vault.id}2`, vault.id.slice(0, -1)]) expect(vaults.byId(other)).toBeUndefined();
  });
});
