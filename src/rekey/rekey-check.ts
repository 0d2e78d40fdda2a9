import { conflictsOf, type RekeyOrder } from '../fleet/rekey-order.ts';
import type { KeyAccess } from '../identities/key-access.ts';
import type { KeyVersion } from '../keys/key-versions.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import type { Reason } from '../reasons.ts';
import { versionObstacle } from './obstacle.ts';

/** Sizes of RSA keys that Storage takes (Azure Storage, "customer-managed keys overview"). */
const SIZES: readonly (number | undefined)[] = [2048, 3072, 4096];

/** Something that stands in the way of a re-key. */
export interface RekeyProblem {
  readonly reason: Reason;
  readonly detail: string;
  readonly fix: string;
}

/** Something of Azure, or why it could not be read. */
export type ReadOrWhy<T> = { readonly read: T } | { readonly unread: string };

/** What was read before anything moves. */
export interface RekeyFacts {
  readonly from: ManagedKey;
  readonly to: ManagedKey;
  readonly fromVersions: ReadOrWhy<readonly KeyVersion[]>;
  readonly toVersions: ReadOrWhy<readonly KeyVersion[]>;
  readonly vault: ReadOrWhy<{ readonly softDelete: boolean; readonly purgeProtection: boolean }>;
  /** Type and size of the newest version; undefined where Key Vault does not show them. */
  readonly material: ReadOrWhy<{ readonly type: string; readonly size: number | undefined } | undefined>;
  readonly orders: readonly RekeyOrder[];
  /** Of each account that is to move, to the key that it is to move to. */
  readonly access: readonly KeyAccess[];
  /** Accounts that could not be looked at, one sentence each. */
  readonly unread: readonly string[];
}

export interface RekeyCheck {
  readonly problems: readonly RekeyProblem[];
  /** What could not be told; it stands in the way of nothing. */
  readonly warnings: readonly string[];
  /** Accounts that use the old key, as far as they are known, themselves or by a scope. */
  readonly accounts: number;
  /** Identities that lack their role on the new key: `--grant` gives it to them. */
  readonly withoutRole: readonly string[];
}

/** Everything that stands in the way, at once. */
export function judgeRekey(facts: RekeyFacts, now: Date): RekeyCheck {
  const { access, unread } = facts;
  const problems = [
    ...sameKey(facts),
    ...keyProblems(facts, now),
    ...vaultProblems(facts),
    ...materialProblems(facts),
    ...orderProblems(facts, now),
    ...accessProblems(facts),
  ];
  const unknown = access.filter(({ ready }) => ready === 'unknown');
  const cannotTell = unknown.map(
    ({ account, missing }) => `Whether ${account} may use the key is not known: ${missing}`,
  );
  const lacking = access.flatMap(({ reason, principalId }) =>
    reason === 'IdentityWithoutRole' && principalId ? [principalId] : [],
  );
  return {
    problems,
    warnings: [...unread, ...cannotTell],
    accounts: access.length,
    withoutRole: [...new Set(lacking)],
  };
}

function sameKey({ from, to }: RekeyFacts): RekeyProblem[] {
  if (from.id.toLowerCase() !== to.id.toLowerCase()) return [];
  const fix = 'Name another key. A new version of the same key is a rotation: everything moves to it by itself.';
  return [{ reason: 'ArgumentInvalid', detail: 'Both are the same key.', fix }];
}

function keyProblems({ from, to, fromVersions, toVersions }: RekeyFacts, now: Date): RekeyProblem[] {
  const unread = [
    { key: from, versions: fromVersions },
    { key: to, versions: toVersions },
  ].flatMap(({ key, versions }): RekeyProblem[] =>
    'unread' in versions
      ? [
          {
            reason: 'VaultUnreadable',
            detail: `${key.id}: ${versions.unread}`,
            fix: 'Give the app its role on the vault.',
          },
        ]
      : [],
  );
  if ('unread' in fromVersions || 'unread' in toVersions) return unread;
  const obstacle = versionObstacle(
    { key: from, versions: fromVersions.read },
    { key: to, versions: toVersions.read },
    now,
  );
  if (!obstacle) return [];
  const fix =
    obstacle.reason === 'RevocationOpen'
      ? 'Restore the key first: a re-key frees no account from a revocation.'
      : 'Make a version of it that can be used, or recover it.';
  return [{ ...obstacle, fix }];
}

function vaultProblems({ to, vault }: RekeyFacts): RekeyProblem[] {
  const { name } = to.vault;
  if ('unread' in vault) return [{ reason: 'Unreadable', detail: vault.unread, fix: 'Let the app read the vault.' }];
  const problems: RekeyProblem[] = [];
  if (!vault.read.softDelete) {
    const fix = `az keyvault update --name ${name} --enable-soft-delete true`;
    problems.push({ reason: 'SoftDeleteOff', detail: `The vault ${name} has no soft delete.`, fix });
  }
  if (!vault.read.purgeProtection) {
    const fix = `az keyvault update --name ${name} --enable-purge-protection true`;
    problems.push({ reason: 'PurgeProtectionOff', detail: `The vault ${name} has no purge protection.`, fix });
  }
  return problems;
}

function materialProblems({ to, material }: RekeyFacts): RekeyProblem[] {
  // Of a key that cannot be used it is said elsewhere.
  if ('unread' in material || material.read === undefined) return [];
  const { type, size } = material.read;
  if (/^RSA(-HSM)?$/i.test(type) && SIZES.includes(size)) return [];
  const detail = `${to.id} is ${type}${size ? ` of ${size} bits` : ''}.`;
  return [
    { reason: 'UnsupportedKey', detail, fix: `Make another key: cmk key ensure <name> --vault ${to.vault.name}` },
  ];
}

function orderProblems({ from, to, orders }: RekeyFacts, now: Date): RekeyProblem[] {
  return conflictsOf({ id: '', from: from.id, to: to.id }, orders, now).map((order) => ({
    reason: 'RekeyConflict',
    detail: `The re-key ${order.id} (${order.from} to ${order.to}) has to do with the same key.`,
    fix: `Let it end first, or end it: cmk rekey cancel ${order.id} --keep`,
  }));
}

function accessProblems({ to, access }: RekeyFacts): RekeyProblem[] {
  return access
    .filter(({ ready }) => ready === false)
    .map(({ account, reason, missing }) => ({
      reason: reason ?? 'IdentityWithoutRole',
      detail: `${account}: ${missing.join(' ')}`,
      fix:
        reason === 'IdentityWithoutRole'
          ? `Give it the role Key Vault Crypto Service Encryption User on ${to.vault.name}: cmk rekey start … --grant does it.`
          : 'Attach an identity to the account that exists.',
    }));
}
