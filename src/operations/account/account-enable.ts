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
  /** Name or ARM id of a user-assigned identity, or `system`; undefined: the one that the account has. */
  readonly identity: string | undefined;
  /** Another user-assigned identity may be taken off the account. */
  readonly replaceIdentity?: boolean | undefined;
  /** The identity may be given its role on the vault, if it lacks it. */
  readonly grant?: boolean | undefined;
  /** The role was given a moment ago: lists of role assignments may not show it yet. */
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
  planEnable(before, source, identity?.id, replaceIdentity); // refuses before anything is changed
  const account = identity ? before : await withSystemIdentity(before, operation);
  const name = identity?.name ?? 'the system-assigned identity';
  const principalId = identity?.principalId ?? account.systemPrincipalId;
  if (options.grant && !options.roleGiven) {
    const grantee = identity ?? { id: account.id, name: `${name} of ${account.name}`, principalId };
    await ensureIdentityRole(grantee, source.vault, undefined, operation);
  } else if (!principalId) {
    journal.note(`${name} does not exist before this is carried out; it needs its role then: --grant gives it.`);
  } else if (!options.roleGiven) await checkRole(principalId, name, source, operation);
  const plan = planEnable(account, source, identity?.id, replaceIdentity);
  // An account that uses the key already stays in its mode.
  const pin = plan.write ? plan.encryption.keyVaultProperties?.keyVersion || undefined : undefined;
  const text = `${account.name} encrypted with ${describeSource({ ...source, pin })}`;
  return applyPlan(account, plan, text, operation, waitSeconds);
}

export const SYSTEM_ASSIGNED = 'system';

/**
 * The identity that an account has: the one of its encryption settings; else its user-assigned one, where it has no
 * system-assigned one beside it.
 */
function ownIdentity({ encryption, userAssignedIdentities, systemPrincipalId }: Account): string | undefined {
  const used = encryption.encryptionIdentity?.encryptionUserAssignedIdentity;
  return used || (systemPrincipalId === undefined ? userAssignedIdentities[0] : undefined);
}

/** The identity that an account is to use. */
export async function findOwn(identity: string, { azure, journal }: Operation) {
  const found = await findIdentity(identity, azure);
  journal.found(`identity ${found.name} (${found.principalId})`);
  return found;
}

/** An account that is to use a system-assigned identity needs it first: a role assignment needs its principal. */
async function withSystemIdentity(account: Account, { azure, journal }: Operation): Promise<Account> {
  const identity = attachIdentity(account, undefined, false);
  if (!identity) return account;
  const text = `system-assigned identity of ${account.name} turned on`;
  const updated = await journal.change({ text, action: 'account.setIdentity', resource: account.id }, () =>
    azure.accounts.update(account, { identity }),
  );
  return updated ?? account;
}
