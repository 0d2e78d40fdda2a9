import { parseResourceId } from '../../azure/resource-id.ts';
import { CmkError } from '../../errors.ts';
import type { Account } from '../../fleet/account.ts';
import { GUID } from '../../http/auth-config.ts';
import { ensureIdentityRole } from '../identity/identity-ensure.ts';
import { checkRole, describeSource, type KeyChoice, type KeySource, readKeySource } from '../key/key-source.ts';
import type { Operation } from '../operator-azure.ts';
import { findAccount, findIdentity, type Where } from '../resolve.ts';
import { attachIdentity, planEnable, type WantedIdentity } from './account-plan.ts';
import { type AccountResult, accountResult, applyPlan } from './account-write.ts';

export interface EnableOptions extends Where {
  /** Name or ARM id. */
  readonly account: string;
  readonly key: KeyChoice;
  /** Name or ARM id of a user-assigned identity, or `system`; undefined: the one that the account has. */
  readonly identity: string | undefined;
  /** Client id of the multi-tenant application, for a key in another tenant. */
  readonly federatedClientId?: string | undefined;
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
  const before = await findAccount(options.account, azure, options);
  journal.found(`account ${before.name} in ${before.resourceGroup} (${before.location})`);
  const source = await readKeySource(options.key, operation);
  const identity = options.identity ?? (options.federatedClientId ? undefined : ownIdentity(before));
  const wanted = await chooseIdentity({ ...options, identity }, operation);
  const replace = options.replaceIdentity ?? false;
  planEnable(before, source, wanted.identity, replace); // refuses before anything is changed
  const account = await withPrincipal(before, wanted, operation);
  if (!options.roleGiven) await allowIdentity(account, source, wanted, options.grant ?? false, operation);
  const plan = planEnable(account, source, wanted.identity, replace);
  // An account that uses the key already stays in its mode.
  const pin = plan.write ? plan.encryption.keyVaultProperties?.keyVersion || undefined : undefined;
  const text = `${account.name} encrypted with ${describeSource({ ...source, pin })}`;
  return accountResult(await applyPlan(account, plan, text, operation, options.waitSeconds));
}

export const SYSTEM_ASSIGNED = 'system';

/**
 * The identity that an account has: the one of its encryption settings; else its user-assigned one, where it has no
 * system-assigned one beside it.
 */
function ownIdentity({ encryption, userAssignedIdentities, systemPrincipalId }: Account): string | undefined {
  const used = encryption.encryptionIdentity?.encryptionUserAssignedIdentity;
  if (used) return used;
  return systemPrincipalId === undefined ? userAssignedIdentities[0] : undefined;
}

interface ChosenIdentity {
  readonly identity: WantedIdentity;
  /** To be shown to people. */
  readonly name: string;
  /** Undefined for a system-assigned identity, which the account itself knows. */
  readonly principalId: string | undefined;
}

export async function chooseIdentity(
  { identity, federatedClientId }: Pick<EnableOptions, 'identity' | 'federatedClientId'>,
  { azure, journal }: Operation,
): Promise<ChosenIdentity> {
  if (identity === undefined || identity === SYSTEM_ASSIGNED) {
    if (federatedClientId !== undefined) {
      throw new CmkError(
        'ArgumentInvalid',
        'A key in another tenant is reached with a user-assigned identity only.',
        'Add --identity <name>, and add that identity to the application as a federated credential.',
      );
    }
    return { identity: { kind: 'systemAssigned' }, name: 'the system-assigned identity', principalId: undefined };
  }
  if (federatedClientId !== undefined && !GUID.test(federatedClientId)) {
    throw new CmkError(
      'ArgumentInvalid',
      `"${federatedClientId}" is not a client id.`,
      'It is a GUID: the application (client) id of the multi-tenant application.',
    );
  }
  const found = await findIdentity(identity, azure);
  journal.found(`identity ${found.name} (${found.principalId})`);
  return {
    identity: { kind: 'userAssigned', id: found.id, federatedClientId },
    name: found.name,
    principalId: found.principalId,
  };
}

/** An account that is to use a system-assigned identity needs it first: a role assignment needs its principal. */
async function withPrincipal(
  account: Account,
  { identity }: ChosenIdentity,
  { azure, journal }: Operation,
): Promise<Account> {
  if (identity.kind !== 'systemAssigned' || account.systemPrincipalId) return account;
  const change = attachIdentity(account, identity, false);
  if (!change) return account;
  const text = `system-assigned identity of ${account.name} turned on`;
  const updated = await journal.change({ text, action: 'account.setIdentity', resource: account.id }, () =>
    azure.accounts.update(account, { identity: change }),
  );
  return updated ?? account;
}

async function allowIdentity(
  account: Account,
  source: KeySource,
  { identity, name, principalId }: ChosenIdentity,
  grant: boolean,
  operation: Operation,
): Promise<void> {
  if (!source.vault) return;
  const principal = principalId ?? account.systemPrincipalId;
  if (grant) {
    const own =
      identity.kind === 'userAssigned'
        ? { id: identity.id, name }
        : { id: account.id, name: `${name} of ${account.name}` };
    const grantee = { ...own, ...(principal ? { principalId: principal } : {}) };
    await ensureIdentityRole(grantee, source.vault, undefined, operation);
  } else if (principal) await checkRole(asWanted(account, identity, principal), source, name, operation);
  else {
    operation.journal.note(
      `${name} does not exist before this is carried out; it needs its role then: --grant gives it.`,
    );
  }
}

/** The account as far as its identity goes, once it is done. */
export function asWanted(account: Account, identity: WantedIdentity, principalId: string): Account {
  if (identity.kind === 'systemAssigned') return { ...account, encryption: {} };
  const id = parseResourceId(identity.id)?.id ?? identity.id;
  return {
    ...account,
    encryption: { encryptionIdentity: { encryptionUserAssignedIdentity: id } },
    userAssignedIdentities: [id],
    principalIds: { [id.toLowerCase()]: principalId },
  };
}
