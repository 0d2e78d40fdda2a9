import { known } from '../../azure/read-or-why.ts';
import { allows } from '../../identities/role-grant.ts';
import type { Check, Found } from './check.ts';
import type { VaultSubject } from './subjects.ts';

/** What is done to keys, as data actions of roles under `Microsoft.KeyVault/vaults/` and as permissions of access policies. */
const PURGE = { actions: ['keys/purge/action'], permissions: ['purge'] };
const CHANGE = {
  actions: ['keys/update/action', 'keys/delete', 'keys/create/action', 'keys/import/action', 'keys/rotate/action'],
  permissions: ['update', 'delete', 'create', 'import', 'rotate', 'setrotationpolicy'],
};
const USE = { actions: ['keys/wrap/action', 'keys/unwrap/action'], permissions: ['wrapkey', 'unwrapkey'] };
const MOST_NAMED = 10;

/** A principal with what a role assignment, or its access policy, lets it do. */
interface Holder {
  readonly principalId: string;
  /** Where it has that. */
  readonly by: string;
  readonly may: (what: typeof PURGE) => boolean;
}

/**
 * Who may purge keys, and who may change keys that it also uses: what encrypts with a key needs to get, wrap and unwrap, and
 * what looks after keys needs neither of the latter.
 */
function keyAdminsTooWide(subject: VaultSubject): readonly Found[] {
  const holders = holdersOf(subject);
  const shouldBe = 'Only an emergency role, active for a time, may purge keys; what uses keys may not change them.';
  const found = (part: string, may: string, wide: readonly Holder[]): readonly Found[] => {
    const names = [...new Set(wide.map(({ principalId, by }) => `${principalId} (${by})`))];
    if (names.length === 0) return [];
    const more = names.length > MOST_NAMED ? ` and ${names.length - MOST_NAMED} more` : '';
    return [{ part, is: `${may}: ${names.slice(0, MOST_NAMED).join(', ')}${more}.`, shouldBe }];
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
      is: 'It goes by access policies: each holds for all keys of the vault, and whoever may write the vault may add one.',
      shouldBe: 'It goes by role-based access control (Azure RBAC).',
    },
  ];
}

/** What is made sure of for who may do what with the keys of a vault. */
export const ADMIN_CHECKS: readonly Check<VaultSubject>[] = [
  {
    reason: 'VaultUsesAccessPolicies',
    severity: 'advice',
    ensures: 'A vault goes by role-based access control, not by access policies.',
    fix: 'Give every principal of the access policies its role first, then switch over (`az keyvault update --enable-rbac-authorization true`): access policies count no more from then on.',
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
