import { z } from 'zod';
import { parseStorageAccountId } from '../azure/resource-id.ts';
import { commandOr } from '../azure/shell-command.ts';
import { grantAccess } from '../identities/grant-access.ts';
import type { KeyAccess } from '../identities/key-access.ts';
import { isStorageKind } from '../keys/key-versions.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import { vaultOption } from '../keys/vault-options.ts';
import { conflictFix } from '../orders/order-rekey.ts';
import { conflictsOf, type StandingOrders } from '../orders/standing-orders.ts';
import type { Reason } from '../reasons.ts';
import { count, nameFirst } from '../text.ts';
import { storageHindrance, type VaultProperties } from '../vaults/vault-client.ts';
import { letStorageIn, protectVault } from '../vaults/vault-commands.ts';
import type { Blocker } from './blocker.ts';

const problem = z.object({ reason: z.string(), detail: z.string(), fix: z.string() });
type RekeyProblem = z.output<typeof problem>;

/** What Azure answered, or why it could not be read. */
export type ReadOrWhy<T> = { readonly read: T } | { readonly unread: string };

/** What the evaluation is made from. */
export interface RekeyFacts {
  readonly from: ManagedKey;
  readonly to: ManagedKey;
  /** Why nothing may move between the keys now, and which of them is the cause. */
  readonly blocker: (Blocker & { readonly key: ManagedKey }) | undefined;
  readonly vault: ReadOrWhy<Pick<VaultProperties, 'softDelete' | 'purgeProtection' | 'network'>>;
  /** Type and size of the newest version; undefined where Key Vault does not show them. */
  readonly material: ReadOrWhy<{ readonly type: string; readonly size: number | undefined } | undefined>;
  readonly orders: StandingOrders;
  /** Of each account that is to move, to the key that it is to move to. */
  readonly access: readonly KeyAccess[];
  /** What {@link excludedUses} says. */
  readonly excluded: readonly string[];
  /** Accounts that could not be read, one sentence each. */
  readonly unread: readonly string[];
}

export const REKEY_CHECK = z.object({
  problems: z.array(problem).describe('What blocks it; with any, nothing moves.'),
  warnings: z.array(z.string()).describe('What could not be found out, and what will not move.'),
  accounts: z.int().describe('Accounts that use the old key, themselves or by a scope.'),
  withoutRole: z.array(z.string()).describe('Principals that lack their role on the new key.'),
});
export type RekeyCheck = z.output<typeof REKEY_CHECK>;

/** Finds every problem at once, so that an operator does not meet them one by one. */
export function evaluateRekey(facts: RekeyFacts): RekeyCheck {
  const { access, excluded, unread, material } = facts;
  const problems = [
    ...sameKey(facts),
    ...keyProblems(facts),
    ...vaultProblems(facts),
    ...materialProblems(facts),
    ...orderProblems(facts),
    ...accessProblems(facts),
  ];
  const unknown = access.filter(({ ready }) => ready === 'unknown');
  const cannotTell = unknown.map(
    ({ account, missing }) => `Whether ${account} may use the key is not known: ${missing.join(' ')}`,
  );
  const noMaterial =
    'unread' in material ? [`Of which type and size the new key is cannot be read: ${material.unread}`] : [];
  const lacking = access.flatMap(({ reason, principalId }) =>
    reason === 'IdentityWithoutRole' && principalId ? [principalId] : [],
  );
  return {
    problems,
    warnings: [...excluded, ...unread, ...noMaterial, ...perimeter(facts), ...cannotTell],
    accounts: access.length,
    withoutRole: [...new Set(lacking)],
  };
}

function sameKey({ from, to }: RekeyFacts): RekeyProblem[] {
  if (from.id.toLowerCase() !== to.id.toLowerCase()) return [];
  const fix = 'Name another key. A new version of the same key is a rotation: everything moves to it by itself.';
  return [{ reason: 'ArgumentInvalid', detail: 'Both are the same key.', fix }];
}

function keyProblems({ blocker }: RekeyFacts): RekeyProblem[] {
  if (!blocker) return [];
  const { key, ...problem } = blocker;
  return [{ ...problem, fix: fixOf(problem.reason, key) }];
}

function fixOf(reason: Reason, { name, vault }: ManagedKey): string {
  if (reason === 'RevocationOpen') return 'Restore the key first: a re-key frees no account from a revocation.';
  if (reason === 'VaultUnreadable' || reason === 'ServiceUnavailable') {
    return 'Repeat the call; grant the app, or yourself when you run cmk, a role on the vault that reads keys.';
  }
  return reason === 'KeyNotFound'
    ? `Check the names, create it (cmk key ensure ${name} ${vaultOption(vault)}), or recover it.`
    : 'Make a version of it that can be used, or recover it.';
}

function vaultProblems({ to, vault }: RekeyFacts): RekeyProblem[] {
  const { name } = to.vault;
  if ('unread' in vault) return [{ reason: 'Unreadable', detail: vault.unread, fix: 'Let the app read the vault.' }];
  const { softDelete, purgeProtection, network } = vault.read;
  const problems: RekeyProblem[] = [];
  if (!softDelete) {
    const fix = `az keyvault update --name ${name} --enable-soft-delete true`;
    problems.push({ reason: 'SoftDeleteOff', detail: `The vault ${name} has no soft delete.`, fix });
  }
  if (!purgeProtection) {
    const fix = commandOr(protectVault(to.vault), 'Switch it on.');
    problems.push({ reason: 'PurgeProtectionOff', detail: `The vault ${name} has no purge protection.`, fix });
  }
  const hindrance = storageHindrance(network);
  if (hindrance?.certain) {
    const fix = commandOr(letStorageIn(to.vault), 'Let trusted services by.');
    problems.push({ reason: 'VaultUnreachable', detail: `The vault ${name}: ${hindrance.is}`, fix });
  }
  return problems;
}

/** Azure does not show whether the accounts are in the same perimeter; the first wave does. */
function perimeter({ to, vault }: RekeyFacts): string[] {
  const hindrance = 'read' in vault ? storageHindrance(vault.read.network) : undefined;
  return hindrance && !hindrance.certain ? [`The vault ${to.vault.name}: ${hindrance.is}`] : [];
}

function materialProblems({ to, material }: RekeyFacts): RekeyProblem[] {
  // What cannot be read is a warning, and `keyProblems` reports a key that has no usable version.
  if ('unread' in material || material.read === undefined) return [];
  const { type, size } = material.read;
  if (isStorageKind(material.read)) return [];
  const detail = `${to.id} is ${type}${size ? ` of ${size} bits` : ''}.`;
  return [
    { reason: 'UnsupportedKey', detail, fix: `Make another key: cmk key ensure <name> ${vaultOption(to.vault)}` },
  ];
}

function orderProblems({ from, to, orders }: RekeyFacts): RekeyProblem[] {
  return conflictsOf(orders, { from: from.id, to: to.id }).map((order) => ({
    reason: 'RekeyConflict',
    detail: `The re-key ${order.id} (${order.from} to ${order.to}) has to do with the same key.`,
    fix: conflictFix(order),
  }));
}

/** One problem for each identity, however many accounts have it, since one role assignment fixes them all. */
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
      ? 'Attach an identity that exists to the account, and name it in its encryption settings.'
      : commandOr(command, `Let the identity ${principalId} get, wrap and unwrap with the key.`);
  return { reason, detail: `${account}${more}: ${missing.join(' ')}`, fix };
}

/** Warns of uses in subscriptions that the app does not manage: an operator has to know before disabling the key. */
export function excludedUses(accounts: readonly string[]): string[] {
  if (accounts.length === 0) return [];
  const ids = accounts.map((id) => parseStorageAccountId(id)?.subscriptionId).filter((id) => id !== undefined);
  const uses = count(accounts.length, 'use');
  return [
    `${uses} of the old key, as last seen, will stay on it: the app does not manage ${nameFirst([...new Set(ids)], 3)}.`,
  ];
}
