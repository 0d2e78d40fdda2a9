import { known } from '../../azure/read-or-why.ts';
import { allows } from '../../identities/role-grant.ts';
import { nameFirst } from '../../text.ts';
import type { Check, Found } from './check.ts';
import type { VaultSubject } from './subjects.ts';

/** Operations on keys: the data actions of roles, below `Microsoft.KeyVault/vaults/`, and the permissions of access policies. */
const PURGE = { actions: ['keys/purge/action'], permissions: ['purge'] };
const CHANGE = {
  actions: ['keys/update/action', 'keys/delete', 'keys/create/action', 'keys/import/action', 'keys/rotate/action'],
  permissions: ['update', 'delete', 'create', 'import', 'rotate', 'setrotationpolicy'],
};
const USE = { actions: ['keys/wrap/action', 'keys/unwrap/action'], permissions: ['wrapkey', 'unwrapkey'] };
const MOST_NAMED = 10;

/** A principal, and what one role assignment or its access policy lets it do. */
interface Holder {
  readonly principalId: string;
  /** `access policy`, or the scope of the role. */
  readonly by: string;
  readonly may: (what: typeof PURGE) => boolean;
}

/**
 * Principals that may purge keys, and principals that may change keys that they also use: a service that encrypts with a key
 * needs get, wrap and unwrap, and an administrator of keys needs neither wrap nor unwrap.
 */
function keyAdminsTooWide(subject: VaultSubject): readonly Found[] {
  const holders = holdersOf(subject);
  const shouldBe = 'Only an emergency role, active for a time, may purge keys; what uses keys may not change them.';
  const found = (part: string, may: string, wide: readonly Holder[]): readonly Found[] => {
    const names = [...new Set(wide.map(({ principalId, by }) => `${principalId} (${by})`))];
    if (names.length === 0) return [];
    return [{ part, is: `${may}: ${nameFirst(names, MOST_NAMED)}.`, shouldBe }];
  };
  return [
    ...found(
      'purge',
      'These may purge its keys for good once deleted',
      holders.filter(({ may }) => may(PURGE)),
    ),
    ...found(
      'change',
      'These may both use its keys and change or delete them',
      holders.filter(({ may }) => may(USE) && may(CHANGE)),
    ),
  ];
}

function holdersOf({ properties, grants }: VaultSubject): Holder[] {
  const read = known(properties);
  if (read?.accessModel === 'accessPolicies') {
    return read.policies.map(({ objectId, keyPermissions }) => {
      const has = new Set(keyPermissions.map((permission) => permission.toLowerCase()));
      const may: Holder['may'] = ({ permissions }) => has.has('all') || permissions.some((one) => has.has(one));
      return { principalId: objectId, by: 'access policy', may };
    });
  }
  return (known(grants) ?? []).map((grant) => ({
    principalId: grant.principalId,
    by: `role at ${grant.scope}`,
    may: ({ actions }) => actions.some((action) => allows(grant, `Microsoft.KeyVault/vaults/${action}`)),
  }));
}

function vaultUsesAccessPolicies({ properties }: VaultSubject): readonly Found[] {
  if (known(properties)?.accessModel !== 'accessPolicies') return [];
  return [
    {
      is: 'It uses access policies: each holds for all keys of the vault, and every principal that may write the vault may add one.',
      shouldBe: 'It uses role-based access control (Azure RBAC).',
    },
  ];
}

/** Checks of who may do what with the keys of a vault. */
export const ADMIN_CHECKS: readonly Check<VaultSubject>[] = [
  {
    reason: 'VaultUsesAccessPolicies',
    severity: 'advice',
    ensures: 'A vault uses role-based access control, not access policies.',
    fix: 'Give every principal of the access policies its role first, then switch over (`az keyvault update --enable-rbac-authorization true`): access policies have no effect from then on.',
    find: vaultUsesAccessPolicies,
  },
  {
    reason: 'KeyAdminsTooWide',
    severity: 'advice',
    ensures: 'No standing role or access policy lets a principal purge keys, or change keys that it uses.',
    fix: 'Take away what is not needed: storage identities need Key Vault Crypto Service Encryption User; people get the administration of keys for a time (Privileged Identity Management), without purge. Exempt in CMK_EXEMPTIONS what is meant.',
    find: keyAdminsTooWide,
  },
];
