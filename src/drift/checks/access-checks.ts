import { DAY_MS } from '../../formats/spans.ts';
import { grantAccess } from '../../identities/grant-access.ts';
import type { Found, FoundCause } from './check.ts';
import { formatEncryptAccount } from './commands.ts';
import { type AccountSubject, type KeySubject, listManagedUses, type Rules } from './subjects.ts';

export function findIdentityMissing(subject: AccountSubject): Found | undefined {
  const { account, key } = subject;
  const is = withoutIdentity(subject, 'IdentityMissing');
  if (is === undefined) return undefined;
  const identity = chosenIdentity(subject);
  // An account has one user-assigned identity, and only an operator may decide to detach another one.
  const isFree = account.userAssignedIdentities.length === 0;
  const command =
    key && identity !== undefined && isFree ? formatEncryptAccount(account, key.key, identity) : undefined;
  return { is, command, cause: ofIdentity(subject, key) };
}

export function findIdentityDeleted(subject: AccountSubject): Found | undefined {
  const is = withoutIdentity(subject, 'IdentityDeleted');
  return is === undefined ? undefined : { is, cause: ofIdentity(subject, undefined) };
}

/** One finding for the account and all of its scopes, because they share the identity. */
function withoutIdentity(subject: AccountSubject, reason: string): string | undefined {
  const found = listManagedUses(subject).find(({ access }) => access?.reason === reason);
  return found?.access?.missing.join(' ');
}

/** Days before the end of a role at which the finding begins, and at which it becomes an error. */
const ENDS_DAYS = { warning: 30, error: 3 };

export function findRoleExpires(subject: AccountSubject, { now }: Rules): readonly Found[] {
  return listManagedUses(subject).flatMap(({ resource, access, key }): Found[] => {
    const until = access?.until;
    const days = until ? (until.getTime() - now.getTime()) / DAY_MS : Number.POSITIVE_INFINITY;
    if (!until || days > ENDS_DAYS.warning) return [];
    const is = `The role of its identity ${access.principalId} on the key expires on ${until.toISOString()}.`;
    const severity = days <= ENDS_DAYS.error ? 'error' : 'warning';
    return [{ resource, severity, is, cause: ofIdentity(subject, key) }];
  });
}

export function findIdentityWithoutRole(subject: AccountSubject): readonly Found[] {
  return listManagedUses(subject).flatMap(({ resource, access: of, key }): Found[] => {
    if (of?.reason !== 'IdentityWithoutRole') return [];
    const command = grantAccess(of.principalId, key.key.vault, of.by);
    return [{ resource, is: of.missing.join(' '), command, cause: ofIdentity(subject, key) }];
  });
}

/** A subscription that moves to another tenant moves its vaults too, but they keep the old tenant. */
export function findTenantMismatch(subject: AccountSubject): readonly Found[] {
  const { account, tenantId } = subject;
  if (!tenantId || account.encryption.encryptionIdentity?.encryptionFederatedIdentityClientId) return [];
  const keys = listManagedUses(subject).map(({ key }) => key);
  const strange = keys.filter((key) => key.tenantId && key.tenantId.toLowerCase() !== tenantId.toLowerCase());
  return [...new Map(strange.map((key) => [key.key.vault, key.tenantId]))].map(([vault, trusts]) => ({
    part: vault.id,
    is: `The vault ${vault.name} trusts the tenant ${trusts}, but the account is in the tenant ${tenantId}, so its identity cannot sign in.`,
    cause: { about: [vault.id] },
  }));
}

/**
 * One repair fixes every account with the identity. Each account has its own system-assigned identity. A subscription's
 * accounts with such identities share one cause, with one command each.
 */
function ofIdentity(subject: AccountSubject, key: KeySubject | undefined): FoundCause {
  const identity = chosenIdentity(subject) ?? `/subscriptions/${subject.account.subscriptionId}`;
  return { about: key ? [identity, key.key.vault.id] : [identity] };
}

// Storage returns "" after an account has returned to its system-assigned identity.
function chosenIdentity({ account }: AccountSubject): string | undefined {
  return account.encryption.encryptionIdentity?.encryptionUserAssignedIdentity || undefined;
}
