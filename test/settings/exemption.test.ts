import { describe, expect, it } from 'vitest';
import type { Reason } from '../../src/errors/reasons.ts';
import { FIXABLE, isExcluded } from '../../src/settings/exemption.ts';

const NOW = new Date('2026-06-01T12:00:00Z');
const ACCOUNT = '/subscriptions/s/resourceGroups/rg/providers/Microsoft.Storage/storageAccounts/st1';
const pinned = { account: ACCOUNT, mode: 'pinned' } as const;
const automatic = { account: ACCOUNT, mode: 'automatic' } as const;
const scopes = (['pinned', 'automatic'] as const).map((mode) => ({ account: ACCOUNT, scope: 'own', mode }));

/** Which of them are exempt by one exemption. */
function exempt(code: Reason, resource = '*', until = '2026-06-01') {
  const rules = { autofix: FIXABLE, exemptions: [{ resource, code, reason: 'CHG-1', until }] };
  return [pinned, automatic, ...scopes].map((use) => isExcluded(use, rules, NOW));
}

describe('a use of a key', () => {
  it('A use of a key is exempt by the code of the finding that would report it as behind', () => {
    expect(exempt('StaleKeyVersion')).toEqual([true, false, false, false]);
    expect(exempt('LaggingAutomaticVersion')).toEqual([false, true, false, false]);
    expect(exempt('ScopeStaleKeyVersion')).toEqual([false, false, true, true]);
  });

  it('A use of a key is not exempt by another code, for another resource, or by an expired exemption', () => {
    const none = [false, false, false, false];
    expect(exempt('RotationStuck')).toEqual(none);
    expect(exempt('StaleKeyVersion', '*/storageAccounts/st2')).toEqual(none);
    expect(exempt('StaleKeyVersion', '*', '2026-05-31')).toEqual(none);
    expect(exempt('ScopeStaleKeyVersion', ACCOUNT)).toEqual(none);
    expect(exempt('ScopeStaleKeyVersion', `${ACCOUNT}/encryptionScopes/OWN`)).toEqual([false, false, true, true]);
  });
});
