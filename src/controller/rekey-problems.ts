import { z } from 'zod';
import { getKnown, type Part } from '../azure/read-or-why.ts';
import { parseStorageAccountId } from '../azure/resource-id.ts';
import { renderCommandOr } from '../azure/shell-command.ts';
import type { Reason } from '../errors/reasons.ts';
import { formatCount, formatFirst } from '../formats/text.ts';
import { grantAccess } from '../identities/grant-access.ts';
import type { KeyAccess } from '../identities/key-access.ts';
import { isStorageKind } from '../keys/key-versions.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import { formatVaultOption } from '../keys/vault-options.ts';
import type { StandingOrders } from '../orders/standing-orders.ts';
import { findStorageHindrance, type VaultProperties } from '../vaults/vault-client.ts';
import { formatLetStorageIn, formatProtectVault } from '../vaults/vault-commands.ts';
import { describeRekeyConflicts } from './order-rekey.ts';

const problem = z.object({ reason: z.string(), detail: z.string(), fix: z.string() });
type RekeyProblem = z.output<typeof problem>;

/** Why an order moves no use now. */
export type Blocker = RekeyProblem & { readonly reason: Reason };

/** Input of the evaluation. */
export interface RekeyFacts {
  readonly from: ManagedKey;
  readonly to: ManagedKey;
  readonly blocker: Blocker | undefined;
  readonly vault: Part<Pick<VaultProperties, 'softDelete' | 'purgeProtection' | 'network'>>;
  /** Type and size of the newest version; undefined if Key Vault omits them. */
  readonly material: Part<{ readonly type: string; readonly size: number | undefined } | undefined>;
  readonly orders: StandingOrders;
  /** Access of each account to the target key. */
  readonly access: readonly KeyAccess[];
  /** Result of {@link describeExcludedUses}. */
  readonly excluded: readonly string[];
  /** Accounts that the app cannot read, one sentence each. */
  readonly unread: readonly string[];
}

export const REKEY_CHECK = z.object({
  problems: z.array(problem).describe('Problems that block the re-key. With any problem, no account moves.'),
  warnings: z.array(z.string()).describe('Facts that the app failed to read, and uses that will not move.'),
  accounts: z.int().describe('Accounts that use the old key directly or by an encryption scope.'),
  withoutRole: z.array(z.string()).describe('Principals without a role assignment on the new key.'),
});
export type RekeyCheck = z.output<typeof REKEY_CHECK>;

/** Finds all problems at once, so that an operator can fix them together. */
export function evaluateRekey(facts: RekeyFacts): RekeyCheck {
  const { from, to, blocker, orders, access, excluded, unread, material } = facts;
  const problems = [
    ...sameKey(facts),
    ...(blocker ? [blocker] : []),
    ...vaultProblems(facts),
    ...materialProblems(facts),
    ...describeRekeyConflicts(orders, { from: from.id, to: to.id }),
    ...accessProblems(facts),
  ];

  const unknown = access.filter(({ ready }) => ready === 'unknown');
  const undetermined = unknown.map(
    ({ account, missing }) => `The app cannot determine whether ${account} has access to the key: ${missing.join(' ')}`,
  );
  const noMaterial =
    'unread' in material ? [`The app cannot read the new key's type and size: ${material.unread.detail}`] : [];
  const lacking = access.flatMap(({ reason, principalId }) =>
    reason === 'IdentityWithoutRole' && principalId ? [principalId] : [],
  );

  return {
    problems,
    warnings: [...excluded, ...unread, ...noMaterial, ...perimeter(facts), ...undetermined],
    accounts: access.length,
    withoutRole: [...new Set(lacking)],
  };
}

function sameKey({ from, to }: RekeyFacts): RekeyProblem[] {
  if (from.id.toLowerCase() !== to.id.toLowerCase()) return [];
  const fix = 'Name another key. To rotate the same key, create a new version: the app moves all accounts to it.';
  return [{ reason: 'ArgumentInvalid', detail: 'The source key and the target key are the same.', fix }];
}

function vaultProblems({ to, vault }: RekeyFacts): RekeyProblem[] {
  const { name } = to.vault;

  if ('unread' in vault) {
    return [{ reason: 'Unreadable', detail: vault.unread.detail, fix: 'Grant the app read access to the vault.' }];
  }

  const { softDelete, purgeProtection, network } = vault.value;
  const problems: RekeyProblem[] = [];

  if (!softDelete) {
    const fix = `az keyvault update --name ${name} --enable-soft-delete true`;
    problems.push({ reason: 'SoftDeleteOff', detail: `The vault ${name} has no soft delete.`, fix });
  }

  if (!purgeProtection) {
    const fix = renderCommandOr(formatProtectVault(to.vault), 'Enable purge protection.');
    problems.push({ reason: 'PurgeProtectionOff', detail: `The vault ${name} has no purge protection.`, fix });
  }

  const hindrance = findStorageHindrance(network);
  if (hindrance?.certain) {
    const fix = renderCommandOr(
      formatLetStorageIn(to.vault),
      'Allow trusted Microsoft services to bypass the firewall.',
    );
    problems.push({ reason: 'VaultUnreachable', detail: `The vault ${name}: ${hindrance.is}`, fix });
  }

  return problems;
}

/** Azure does not show whether the accounts are in the same perimeter; the first wave shows it. */
function perimeter({ to, vault }: RekeyFacts): string[] {
  const known = getKnown(vault);
  const hindrance = known && findStorageHindrance(known.network);
  return hindrance && !hindrance.certain ? [`The vault ${to.vault.name}: ${hindrance.is}`] : [];
}

function materialProblems({ to, material }: RekeyFacts): RekeyProblem[] {
  // An unreadable key is a warning, and a key without a usable version is the blocker.
  const known = getKnown(material);
  if (known === undefined || isStorageKind(known)) return [];

  const { type, size } = known;
  const detail = `${to.id} is ${type}${size ? ` of ${size} bits` : ''}.`;
  return [
    {
      reason: 'UnsupportedKey',
      detail,
      fix: `Create another key: cmk key ensure <name> ${formatVaultOption(to.vault)}`,
    },
  ];
}

/** Returns one problem for each identity: one role assignment fixes all its accounts. */
function accessProblems({ to, access }: RekeyFacts): RekeyProblem[] {
  const causes = Map.groupBy(
    access.filter(({ ready }) => ready === false),
    ({ reason, principalId, account }) =>
      reason === 'IdentityWithoutRole' && principalId ? principalId.toLowerCase() : account,
  );
  return [...causes.values()].map((same) => accessProblem(to, same as [KeyAccess, ...KeyAccess[]]));
}

function accessProblem(to: ManagedKey, [first, ...others]: readonly [KeyAccess, ...KeyAccess[]]): RekeyProblem {
  const { account, reason = 'IdentityWithoutRole', principalId, by, missing } = first;
  const more = others.length > 0 ? ` and ${others.length} more accounts` : '';
  const command = reason === 'IdentityWithoutRole' ? grantAccess(principalId, to.vault, by) : undefined;
  const fix =
    command === undefined
      ? 'Attach an existing identity to the account, and select it in the encryption settings.'
      : renderCommandOr(command, `Grant the identity ${principalId} get, wrap key and unwrap key on the key.`);
  return { reason, detail: `${account}${more}: ${missing.join(' ')}`, fix };
}

/** Warns of uses in unmanaged subscriptions, before an operator disables the old key. */
export function describeExcludedUses(accounts: readonly string[]): string[] {
  if (accounts.length === 0) return [];
  const ids = accounts.map((id) => parseStorageAccountId(id)?.subscriptionId).filter((id) => id !== undefined);
  const uses = formatCount(accounts.length, 'use');
  return [
    `${uses} of the old key in the last list will not move: the app does not manage ${formatFirst([...new Set(ids)], 3)}.`,
  ];
}
