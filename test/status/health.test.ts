import { describe, expect, it } from 'vitest';
import { formatCauseLabel } from '../../src/keys/resource-label.ts';
import { summarizeFleet } from '../../src/status/fleet-summary.ts';
import { determineHealth, type HealthEvidence, type HealthFinding } from '../../src/status/health.ts';
import { KEY } from '../support/keys.ts';

const NOW = new Date('2026-06-01T12:00:00.000Z');
const ago = (hours: number) => new Date(NOW.getTime() - hours * 3_600_000);
const SINCE = ago(3).toISOString();

function found(reason: string, change: Partial<HealthFinding> & { because?: string } = {}): HealthFinding {
  const { because = reason, ...rest } = change;
  return { reason, severity: 'error', cause: { id: because, reason: because, about: [KEY.id] }, since: SINCE, ...rest };
}
const evidence = (change: Partial<HealthEvidence> = {}): HealthEvidence => ({
  encryptedBy: 'managedVault',
  findings: [],
  checkedOn: ago(1),
  probe: undefined,
  ...change,
});
const probe = (state: 'blocked' | 'open' | 'unknown', hours = 1) => ({
  state,
  since: SINCE,
  checkedOn: ago(hours).toISOString(),
});
const of = (change: Partial<HealthEvidence> = {}) => determineHealth(evidence(change), NOW);

describe('The health of an account', () => {
  it.each<[string, string, Partial<HealthFinding>?]>([
    ['RevocationOpen', 'Revoked'],
    ['KeyDisabled', 'Blocked'],
    ['KeyDeleted', 'Blocked'],
    ['KeyOperationsMissing', 'Blocked'],
    ['IdentityWithoutRole', 'NoAccess'],
    ['IdentityMissing', 'NoAccess'],
    ['IdentityDeleted', 'NoAccess'],
    ['TenantMismatch', 'NoAccess'],
    ['VaultUnreachable', 'NoAccess'],
    ['IdentityHasNoAccess', 'NoAccess'],
    ['NoLongerCustomerManaged', 'NotManaged'],
    ['StaleKeyVersion', 'Stale'],
    ['StaleKeyVersion', 'Stale', { severity: 'advice' }],
    ['ScopeStaleKeyVersion', 'Stale', { severity: 'warning' }],
    ['LaggingAutomaticVersion', 'Stale', { severity: 'warning' }],
    ['Unreadable', 'Unknown', { severity: 'warning' }],
    ['VaultUnreadable', 'Unknown'],
    // Whether a perimeter lets the account in is not seen.
    ['VaultUnreachable', 'Unknown', { severity: 'warning' }],
  ])('The health of an account with the finding %s is %s', (reason, state, change) => {
    expect(of({ findings: [found(reason, change)] })).toEqual({
      state,
      cause: { id: reason, reason, about: [KEY.id] },
      since: SINCE,
    });
  });

  it.each<[string, HealthFinding]>([
    ['says nothing of it', found('PinnedVersion', { severity: 'advice' })],
    ['could not read something beside', found('Unreadable', { severity: 'advice' })],
    ['about a perimeter is exempt', found('VaultUnreachable', { severity: 'warning', exemption: {} })],
  ])('The health of an account is Serving when a finding %s', (_, finding) => {
    expect(of({ findings: [finding] })).toEqual({ state: 'Serving' });
  });

  it('The health of an account is that of the cause of a finding, and of the worst and oldest of several', () => {
    expect(of({ findings: [found('KeyDisabled', { because: 'RevocationOpen' })] }).state).toBe('Revoked');

    const younger = ago(1).toISOString();
    const older = ago(9).toISOString();
    const unknown = undefined;
    const findings = [
      found('StaleKeyVersion', { since: older }),
      found('IdentityWithoutRole', { since: unknown }),
      found('IdentityWithoutRole', { since: younger }),
      found('IdentityWithoutRole', { since: older }),
      found('IdentityWithoutRole', { since: older }),
    ];

    expect(of({ findings })).toMatchObject({ state: 'NoAccess', since: older });
    expect(of({ findings: [found('KeyDeleted', { since: unknown })] }).since).toBeUndefined();
  });

  it('The health of an account is NotManaged when no managed key encrypts it, whatever else is wrong', () => {
    expect(of({ encryptedBy: 'microsoft' })).toEqual({ state: 'NotManaged' });

    const findings = [found('Unreadable'), found('NoLongerCustomerManaged')];
    expect(of({ encryptedBy: 'microsoft', findings })).toMatchObject({
      state: 'NotManaged',
      cause: { reason: 'NoLongerCustomerManaged' },
    });

    const other = [found('UnmanagedVault', { severity: 'advice' })];
    expect(of({ encryptedBy: 'otherVault', findings: other })).toMatchObject({ cause: { reason: 'UnmanagedVault' } });
    expect(of({ encryptedBy: 'otherVault', findings: [found('Unreadable')] })).toEqual({ state: 'NotManaged' });

    // One of its scopes is on a managed key, and it has left itself.
    expect(of({ findings: [found('NoLongerCustomerManaged'), found('StaleKeyVersion')] }).state).toBe('NotManaged');
  });

  it('The health of an account is Blocked when its file service is blocked, with the cause of a finding if there is one', () => {
    const refuses = { id: 'FileServiceRefuses', reason: 'FileServiceRefuses', about: [] };
    expect(of({ probe: probe('blocked') })).toEqual({ state: 'Blocked', cause: refuses, since: SINCE });
    expect(of({ probe: probe('blocked'), findings: [found('StaleKeyVersion')] }).state).toBe('Blocked');
    expect(of({ probe: probe('blocked'), findings: [found('IdentityWithoutRole')] }).state).toBe('NoAccess');
    expect(of({ probe: probe('blocked', 25) }).state).toBe('Serving');
  });

  it('The health of an account is Serving when its file service is open, unless there is a finding', () => {
    expect(of({ probe: probe('open') })).toEqual({ state: 'Serving', since: SINCE });
    expect(of({ probe: probe('open'), findings: [found('Unreadable')] }).state).toBe('Serving');

    const perimeter = found('VaultUnreachable', { severity: 'warning' });
    expect(of({ probe: probe('open'), findings: [perimeter] }).state).toBe('Serving');
    expect(of({ findings: [perimeter, found('StaleKeyVersion')] }).state).toBe('Stale');
    expect(of({ findings: [found('VaultUnreachable', { exemption: {} })] }).state).toBe('NoAccess');

    const moved = found('VaultNotFound', { severity: 'warning' });
    expect(of({ findings: [moved] }).state).toBe('Unknown');
    expect(of({ probe: probe('open'), findings: [moved] }).state).toBe('Serving');
    expect(of({ probe: probe('open'), checkedOn: undefined }).state).toBe('Serving');
    expect(of({ probe: probe('open'), findings: [found('IdentityWithoutRole')] }).state).toBe('NoAccess');
    expect(of({ probe: probe('unknown') })).toEqual({ state: 'Serving' });
  });

  it('The health of an account is Unknown when no recent check covered it', () => {
    for (const checkedOn of [undefined, ago(49)]) {
      expect(of({ checkedOn })).toMatchObject({ state: 'Unknown', cause: { reason: 'NotChecked', about: [] } });
    }
    expect(of({ checkedOn: undefined, findings: [found('StaleKeyVersion')] }).state).toBe('Stale');
  });
});

describe('The summary of a fleet', () => {
  const subscription = '/subscriptions/5ab50000-0000-4000-8000-000000000001';
  const identity = `${subscription}/resourceGroups/rg/providers/Microsoft.ManagedIdentity/userAssignedIdentities/id-storage`;
  const vault = `${subscription}/resourceGroups/rg/providers/Microsoft.KeyVault/vaults/kv-files`;

  const noAccess = (about: string[], since?: string) => ({
    state: 'NoAccess' as const,
    cause: { id: about.join(), reason: 'IdentityWithoutRole', about },
    ...(since ? { since } : {}),
  });

  it('The summary of a fleet counts the accounts of each state, with the cause', () => {
    const serving = Array.from({ length: 3 }, () => ({ state: 'Serving' as const }));
    const without = Array.from({ length: 2_010 }, (_, n) => noAccess([identity, vault], n === 7 ? SINCE : undefined));

    expect(summarizeFleet([...serving, ...without])).toMatchObject({
      text: '2,013 accounts: 3 serving, 2,010 no access (id-storage on kv-files)',
      accounts: 2_013,
      states: { Serving: 3, NoAccess: 2_010, Revoked: 0 },
      causes: [{ label: 'id-storage on kv-files', state: 'NoAccess', accounts: 2_010, since: SINCE }],
      moreCauses: 0,
    });

    expect(summarizeFleet([{ state: 'Serving', accounts: 1 }]).text).toBe('1 account: 1 serving');
    expect(summarizeFleet([]).text).toBe('0 accounts');
  });

  it('The summary of a fleet names the largest of several causes with the earliest time, and at most twenty causes', () => {
    const many = Array.from({ length: 25 }, (_, n) => noAccess([`${vault}${n}`]));
    const all = [
      ...many,
      noAccess([vault], SINCE),
      noAccess([vault], ago(9).toISOString()),
      { state: 'Unknown' as const },
    ];

    const { text, causes, moreCauses } = summarizeFleet(all);
    expect(text).toBe('28 accounts: 27 no access (kv-files, and 25 more), 1 unknown');
    expect(causes[0]).toMatchObject({ label: 'kv-files', accounts: 2, since: ago(9).toISOString() });
    expect([causes.length, moreCauses]).toEqual([20, 6]);
  });

  it('The summary of a fleet labels each resource by its short name', () => {
    const label = (...about: string[]) => formatCauseLabel({ about });
    expect(label(KEY.id)).toBe(`${KEY.vault.name}/${KEY.name}`);
    expect(label(`${KEY.id}/${'a'.repeat(32)}`)).toBe(`${KEY.vault.name}/${KEY.name}/aaaaaaaa`);
    expect(label(KEY.vault.uri)).toBe(KEY.vault.name);
    const scopeOf = `${subscription}/resourceGroups/rg/providers/Microsoft.Storage/storageAccounts/st1/encryptionScopes/s1`;
    expect(label(scopeOf)).toBe('st1/s1');
    expect(label(subscription, vault)).toBe('subscription 5ab50000-0000-4000-8000-000000000001 on kv-files');
    expect(label('something')).toBe('something');
    expect(label()).toBe('');
  });
});
