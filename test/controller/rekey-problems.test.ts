import { describe, expect, it } from 'vitest';
import { findBlocker } from '../../src/controller/check-rekey.ts';
import { describeExcludedUses, evaluateRekey, type RekeyFacts } from '../../src/controller/rekey-problems.ts';
import { createManagedKey, type ManagedKey, ManagedVaults } from '../../src/keys/managed-vaults.ts';
import { NO_ORDERS, type Rekey, withRekey } from '../../src/orders/standing-orders.ts';
import { REVOCATION_TAG } from '../../src/revocation/revocation.ts';
import type { VaultNetwork } from '../../src/vaults/vault-client.ts';
import { day, KEY, keyVersion, REVOKER, VAULT, versionName } from '../support/keys.ts';

const OTHER = createManagedKey(VAULT, 'new-key');
const now = day(200);
const OPEN: VaultNetwork = { publicAccess: 'enabled', allowsOthers: true, allowsTrustedServices: false };
const FINE: RekeyFacts = {
  from: KEY,
  to: OTHER,
  blocker: undefined,
  vault: { value: { softDelete: true, purgeProtection: true, network: OPEN } },
  material: { value: { type: 'RSA-HSM', size: 3072 } },
  orders: NO_ORDERS,
  access: [{ account: 'st1', ready: true, reason: undefined, principalId: 'p1', missing: [] }],
  excluded: [],
  unread: [],
};
const UNREAD = { unread: { resource: '', what: '', action: '', kind: 'forbidden', detail: 'no' } } as const;
const reasons = (facts: Partial<RekeyFacts>) => evaluateRekey({ ...FINE, ...facts }).problems.map((one) => one.reason);
const withOrder = (change: Partial<Rekey>): Pick<RekeyFacts, 'orders'> => {
  const about = { id: 'r1', from: 'x', to: OTHER.id, maxFailures: 3, reason: 'leaked', by: { objectId: 'o' } };
  const rekey: Rekey = { ...about, state: 'active', startedOn: day(1).toISOString(), ...change };
  return { orders: withRekey(NO_ORDERS, rekey, now) };
};

describe('The check of a re-key', () => {
  it('The check of a re-key finds no problem where keys, vault and access fit', () => {
    expect(evaluateRekey(FINE)).toEqual({ problems: [], warnings: [], accounts: 1, withoutRole: [] });
    expect(reasons({ material: { value: undefined } })).toEqual([]);
    expect(reasons({ material: UNREAD })).toEqual([]);
    expect(evaluateRekey({ ...FINE, material: UNREAD }).warnings).toEqual([expect.stringMatching(/: no$/)]);
  });

  it('The check of a re-key reports every problem at once', () => {
    const all = reasons({
      to: KEY,
      blocker: { reason: 'NoUsableVersion', detail: 'no', fix: 'none' },
      vault: { value: { softDelete: false, purgeProtection: false, network: { ...OPEN, allowsOthers: false } } },
      material: { value: { type: 'EC', size: undefined } },
      ...withOrder({ from: KEY.id }),
      access: [
        { account: 'st1', ready: false, reason: 'IdentityWithoutRole', principalId: 'p1', missing: ['no role'] },
      ],
    });

    expect(all).toEqual([
      'ArgumentInvalid',
      'NoUsableVersion',
      'SoftDeleteOff',
      'PurgeProtectionOff',
      'VaultUnreachable',
      'UnsupportedKey',
      'RekeyConflict',
      'IdentityWithoutRole',
    ]);
  });

  it('The check of a re-key rejects a blocked key, and a vault or a key that does not fit', async () => {
    const versions = new Map([[KEY.id, [keyVersion(1)]]]);
    const keys = { listVersions: async ({ id }: ManagedKey) => versions.get(id) ?? Promise.reject(new Error('no')) };
    const settings = { vaults: new ManagedVaults([VAULT]) };
    const blocked = async () => {
      const blocker = await findBlocker({ from: KEY.id, to: OTHER.id }, { settings, keys, now: () => now });
      return evaluateRekey({ ...FINE, blocker }).problems;
    };

    expect(await blocked()).toMatchObject([{ detail: expect.stringContaining(`The app cannot read ${OTHER.id}`) }]);

    versions.set(OTHER.id, []);

    const detail = `${OTHER.id} does not exist: it was deleted, or the name is wrong.`;
    const fix = `Check the names, create the key (cmk key ensure new-key --vault ${VAULT.name}), or recover the key.`;

    expect(await blocked()).toEqual([{ reason: 'KeyNotFound', detail, fix }]);

    versions.set(OTHER.id, [keyVersion(51), keyVersion(52, { enabled: false })]);

    expect(await blocked()).toMatchObject([{ reason: 'NewestVersionUnusable' }]);

    const tag = `${REVOKER.id} ${day(150).toISOString()} ${REVOKER.revokedBy} ${versionName(1)}`;

    versions.set(KEY.id, [keyVersion(1, { enabled: false, tags: { [REVOCATION_TAG]: tag } })]);

    expect(await blocked()).toMatchObject([{ reason: 'RevocationOpen' }]);
    expect(reasons({ vault: UNREAD })).toEqual(['Unreadable']);
    expect(reasons({ material: { value: { type: 'RSA', size: 1024 } } })).toEqual(['UnsupportedKey']);
  });

  it('The check of a re-key names the subscriptions whose uses will stay on the old key', () => {
    const id = (n: number) => `1111111${n}-1111-1111-1111-111111111111`;
    const of = (n: number) =>
      `/subscriptions/${id(n)}/resourceGroups/rg/providers/Microsoft.Storage/storageAccounts/st`;
    expect(describeExcludedUses([])).toEqual([]);
    expect(describeExcludedUses([1, 2, 3, 4, 4].map(of))).toEqual([
      expect.stringMatching(new RegExp(`^5 uses .* ${id(1)}, ${id(2)}, ${id(3)} and 1 more\\.$`)),
    ]);
  });

  it.each<[string, Partial<VaultNetwork>, string[], number]>([
    ['admits all callers', {}, [], 0],
    ['denies others, trusted services apart', { allowsOthers: false, allowsTrustedServices: true }, [], 0],
    ['is off, trusted services apart', { publicAccess: 'disabled', allowsTrustedServices: true }, [], 0],
    ['denies others', { allowsOthers: false }, ['VaultUnreachable'], 0],
    ['is off', { publicAccess: 'disabled' }, ['VaultUnreachable'], 0],
    ['is guarded by a perimeter', { publicAccess: 'byPerimeter' }, [], 1],
  ])(
    'The check of a re-key finds whether the accounts reach a vault whose network %s',
    (_, network, problems, warnings) => {
      const value = { softDelete: true, purgeProtection: true, network: { ...OPEN, ...network } };
      const check = evaluateRekey({ ...FINE, vault: { value } });
      expect(check.problems.map((one) => one.reason)).toEqual(problems);
      expect(check.warnings.length).toBe(warnings);
    },
  );

  it('The check of a re-key names the commands of a Managed HSM, and explains where its resource group is unknown', () => {
    const value = { softDelete: true, purgeProtection: false, network: { ...OPEN, publicAccess: 'disabled' as const } };
    const fixes = (resourceGroup: string) => {
      const to = createManagedKey({ ...VAULT, kind: 'managedHsm', resourceGroup }, 'new-key');
      return evaluateRekey({ ...FINE, to, vault: { value } }).problems.map(({ fix }) => fix);
    };

    expect(fixes('rg-keys')).toEqual([
      expect.stringMatching(/^az keyvault update-hsm --enable-purge-protection true --hsm-name /),
      expect.stringMatching(/^az keyvault update-hsm --bypass AzureServices --hsm-name /),
    ]);
    expect(fixes('')).toEqual(['Enable purge protection.', 'Allow trusted Microsoft services to bypass the firewall.']);
  });

  it('The check of a re-key names the command that assigns a missing role on the vault of the new key', () => {
    const lacking = { ready: false, reason: 'IdentityWithoutRole', principalId: 'p-1', missing: ['No role.'] } as const;
    const accounts = (by: 'rbac' | 'accessPolicies') =>
      ['st1', 'st2', 'st3'].map((account) => ({ account, by, ...lacking }));
    const fixes = (by: 'rbac' | 'accessPolicies') => evaluateRekey({ ...FINE, access: accounts(by) }).problems;

    expect(fixes('rbac')).toEqual([
      {
        reason: 'IdentityWithoutRole',
        detail: 'st1 and 2 more accounts: No role.',
        fix: `az role assignment create --assignee-object-id p-1 --assignee-principal-type ServicePrincipal --role 'Key Vault Crypto Service Encryption User' --scope ${VAULT.id}`,
      },
    ]);

    expect(fixes('accessPolicies')[0]?.fix).toBe(`cmk admin grant-role --assignee p-1 --vault ${VAULT.id}`);
  });

  it('The check of a re-key reports an open order that has one of the keys', () => {
    expect(reasons(withOrder({ state: 'active' }))).toEqual(['RekeyConflict']);
    expect(reasons(withOrder({ state: 'done' }))).toEqual([]);
    expect(reasons(withOrder({ state: 'active', to: 'y' }))).toEqual([]);
  });

  it('The check of a re-key names an identity without its role once, and warns of an identity that cannot be read', () => {
    const lacking = { ready: false, reason: 'IdentityWithoutRole', principalId: 'p1', missing: ['no role'] } as const;
    const { withoutRole, problems, warnings } = evaluateRekey({
      ...FINE,
      access: [
        { account: 'st1', ...lacking },
        { account: 'st2', ...lacking },
        { account: 'st3', ready: false, reason: undefined, principalId: undefined, missing: ['none'] },
        { account: 'st4', ready: false, reason: 'IdentityDeleted', principalId: 'p2', missing: ['gone'] },
        { account: 'st5', ready: 'unknown', reason: undefined, principalId: undefined, missing: ['another tenant'] },
      ],
      unread: ['A subscription cannot be listed.'],
    });

    expect(withoutRole).toEqual(['p1']);

    expect(problems.map((one) => one.reason)).toEqual([
      'IdentityWithoutRole',
      'IdentityWithoutRole',
      'IdentityDeleted',
    ]);

    expect(warnings).toEqual(['A subscription cannot be listed.', expect.stringContaining('st5')]);
  });
});
