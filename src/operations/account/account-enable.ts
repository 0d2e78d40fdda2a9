import type { Account } from '../../fleet/account.ts';
import { ensureIdentityRole } from '../identity/identity-ensure.ts';
import { checkRole, describeSource, type KeyChoice, readKeySource } from '../key/key-source.ts';
import type { Operation } from '../operator-azure.ts';
import { findAccount, findIdentity, type Where } from '../resolve.ts';
import { attachIdentity, planEnable } from './account-plan.ts';
import { type AccountResult, applyPlan } from './account-write.ts';

export interface EnableOptions extends Where {
  /** Name or ARM id. */
  readonly account: string;
  readonly key: KeyChoice;
  /** Name or ARM id of a user-assigned identity, or `system`; undefined: the account's current identity. */
  readonly identity: string | undefined;
  /** Allows removing another user-assigned identity from the account. */
  readonly replaceIdentity?: boolean | undefined;
  /** Assigns the identity its role on the vault, if it lacks it. */
  readonly grant?: boolean | undefined;
  /** The role was just assigned: lists of role assignments may not show it yet. */
  readonly roleGiven?: boolean | undefined;
  readonly waitSeconds?: number | undefined;
}

export async function enableAccount(options: EnableOptions, operation: Operation): Promise<AccountResult> {
  const { azure, journal } = operation;
  const { replaceIdentity = false, waitSeconds } = options;
  const before = await findAccount(options.account, azure, options);
  journal.found(`account ${before.name} in ${before.resourceGroup} (${before.location})`);
  const source = await readKeySource(options.key, operation);
  const named = options.identity ?? ownIdentity(before);
  const identity = named === undefined || named === SYSTEM_ASSIGNED ? undefined : await findOwn(named, operation);
  planEnable(before, source, identity?.id, replaceIdentity); // throws before the first change
  const account = identity ? before : await withSystemIdentity(before, operation);
  const name = identity?.name ?? 'the system-assigned identity';
  const principalId = identity?.principalId ?? account.systemPrincipalId;
  if (options.grant && !options.roleGiven) {
    const grantee = identity ?? { id: account.id, name: `${name} of ${account.name}`, principalId };
    await ensureIdentityRole(grantee, source.vault, undefined, operation);
  } else if (!principalId) {
    journal.note(`${name} does not exist until this command runs, and then needs its role: --grant assigns it.`);
  } else if (!options.roleGiven) await checkRole(principalId, name, source, operation);
  const plan = planEnable(account, source, identity?.id, replaceIdentity);
  // An account that already uses the key keeps its mode.
  const pin = plan.write ? plan.encryption.keyVaultProperties?.keyVersion || undefined : undefined;
  const text = `${account.name} encrypted with ${describeSource({ ...source, pin })}`;
  return applyPlan(account, plan, text, operation, waitSeconds);
}

export const SYSTEM_ASSIGNED = 'system';

/**
 * Returns the identity of the encryption settings. Otherwise returns the user-assigned identity, unless the account
 * also has a system-assigned one.
 */
function ownIdentity({ encryption, userAssignedIdentities, systemPrincipalId }: Account): string | undefined {
  const used = encryption.encryptionIdentity?.encryptionUserAssignedIdentity;
  return used || (systemPrincipalId === undefined ? userAssignedIdentities[0] : undefined);
}

/** Finds the identity for an account. */
export async function findOwn(identity: string, { azure, journal }: Operation) {
  const found = await findIdentity(identity, azure);
  journal.found(`identity ${found.name} (${found.principalId})`);
  return found;
}

/** Enables the system-assigned identity first: a role assignment needs its principal. */
async function withSystemIdentity(account: Account, { azure, journal }: Operation): Promise<Account> {
  const identity = attachIdentity(account, undefined, false);
  if (!identity) return account;
  const text = `system-assigned identity of ${account.name} enabled`;
  const updated = await journal.change({ text, action: 'account.setIdentity', resource: account.id }, () =>
    azure.accounts.update(account, { identity }),
  );
  return updated ?? account;
}
