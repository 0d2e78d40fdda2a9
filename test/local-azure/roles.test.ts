import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { actionMatches, scopeCovers } from '../../local/azure/roles.ts';

describe('actionMatches', () => {
  it.each([
    ['*', 'Microsoft.Storage/storageAccounts/read', true],
    ['*/read', 'Microsoft.Storage/storageAccounts/read', true],
    ['*/read', 'Microsoft.Storage/storageAccounts/write', false],
    ['Microsoft.Storage/storageAccounts/*', 'microsoft.storage/storageaccounts/encryptionscopes/write', true],
    ['Microsoft.KeyVault/vaults/keys/*', 'Microsoft.KeyVault/vaults/keyrotationpolicies/read', false],
    ['Microsoft.Authorization/*/Delete', 'microsoft.authorization/roleassignments/delete', true],
    // A dot is a dot.
    ['Microsoft.KeyVault/vaults/read', 'MicrosoftxKeyVault/vaults/read', false],
  ])('The pattern %s matches the action %s: %s', (pattern, action, matches) => {
    expect(actionMatches(pattern, action)).toBe(matches);
  });
});

describe('scopeCovers', () => {
  it.each([
    ['/', '/subscriptions/a', true],
    ['/subscriptions/a', '/SUBSCRIPTIONS/A/resourceGroups/rg', true],
    ['/subscriptions/a/resourceGroups/rg', '/subscriptions/a/resourceGroups/rg2', false],
    ['/subscriptions/a/resourceGroups/rg', '/subscriptions/a', false],
    ['/providers/Microsoft.Management/managementGroups/mg', '/subscriptions/a/resourceGroups/rg', true],
    ['/subscriptions/a', '/providers/Microsoft.Management/managementGroups/mg', false],
    ['/providers/Microsoft.Management/managementGroups/mg', '/', false],
  ])('The scope %s covers %s: %s', (assigned, scope, covers) => {
    expect(scopeCovers(assigned, scope)).toBe(covers);
  });

  const segments = fc.array(fc.stringMatching(/^[a-z]{1,5}$/), { maxLength: 6 });
  it('A scope covers itself and all scopes below it, and none above', () => {
    fc.assert(
      fc.property(segments, segments, (parent, below) => {
        const upper = `/${parent.join('/')}`;
        const lower = `/${[...parent, ...below].join('/')}`;
        expect(scopeCovers(upper, lower)).toBe(true);
        if (below.length > 0) expect(scopeCovers(lower, upper)).toBe(false);
      }),
    );
  });
});
