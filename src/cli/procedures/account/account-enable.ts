import { type Account, type AccountEncryption, listOwnKeyServices } from '../../../accounts/account.ts';
import type { Journal } from '../../../audit/journal.ts';
import { ACCOUNT_TYPE } from '../../../azure/resource-id.ts';
import { CmkError } from '../../../errors/errors.ts';
import { ensureIdentityRole, PROPAGATION_SECONDS } from '../identity/identity-ensure.ts';
import { checkRole, describeSource, type KeyChoice, readKeySource } from '../key/key-source.ts';
import { checkName } from '../names.ts';
import type { Operation } from '../operator-azure.ts';
import { findAccount, findIdentity, lookUpAccount, resolvePlace, type Where } from '../resolve.ts';
import {
  type AccountResult,
  applyPlan,
  planEnable,
  planIdentity,
  retryUntilStorageHasAccess,
  toAccountResult,
  withKey,
} from './account-plan.ts';

interface EnableOptions extends Where {
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
  } else if (!options.roleGiven) {
    await checkRole(principalId, name, source, operation);
  }

  const plan = planEnable(account, source, identity?.id, replaceIdentity);

  // An account that already uses the key keeps its mode.
  const pin = plan.write ? plan.encryption.keyVaultProperties?.keyVersion || undefined : undefined;
  const text = `${account.name} encrypted with ${describeSource({ ...source, pin })}`;

  return applyPlan(account, plan, text, operation, waitSeconds);
}

const SYSTEM_ASSIGNED = 'system';

/**
 * Returns the identity of the encryption settings. Otherwise returns the user-assigned identity, unless the account
 * also has a system-assigned one.
 */
function ownIdentity({ encryption, userAssignedIdentities, systemPrincipalId }: Account): string | undefined {
  const used = encryption.encryptionIdentity?.encryptionUserAssignedIdentity;
  return used || (systemPrincipalId === undefined ? userAssignedIdentities[0] : undefined);
}

async function findOwn(identity: string, { azure, journal }: Operation) {
  const found = await findIdentity(identity, azure);
  journal.found(`identity ${found.name} (${found.principalId})`);
  return found;
}

/** Enables the system-assigned identity first: a role assignment needs its principal. */
async function withSystemIdentity(account: Account, { azure, journal }: Operation): Promise<Account> {
  const identity = planIdentity(account, undefined, false);
  if (!identity) return account;
  const text = `system-assigned identity of ${account.name} enabled`;
  const updated = await journal.change({ text, action: 'account.setIdentity', resource: account.id }, () =>
    azure.accounts.update(account, { identity }),
  );
  return updated ?? account;
}

interface CreateOptions extends EnableOptions {
  readonly location: string | undefined;
  /** `Standard_LRS` … */
  readonly sku: string;
  /** `StorageV2` … */
  readonly kind: string;
  readonly tags?: Record<string, string> | undefined;
}

/** Creates an account that is encrypted with a customer-managed key from the start. */
export async function createAccount(options: CreateOptions, operation: Operation): Promise<AccountResult> {
  const { azure, journal } = operation;
  const { account: name, sku, kind } = options;

  checkName('account', name);

  if (options.identity === undefined || options.identity === SYSTEM_ASSIGNED) {
    throw new CmkError(
      'SystemAssignedAtCreation',
      'Azure creates a system-assigned identity with its account, so a new account cannot use it for its key.',
      'Use a user-assigned identity (cmk admin ensure-identity), or create the account first and then run: cmk account enable',
    );
  }

  const existing = await lookUpAccount(name, azure, options);
  const source = await readKeySource(options.key, operation);
  const identity = await findOwn(options.identity, operation);

  if (existing) {
    const plan = planEnable(existing, source, identity.id, false);
    if (plan.write) throw nameTaken(options);

    journal.found(`account ${name} in ${existing.resourceGroup} (${existing.location}); ${plan.why}`);

    return toAccountResult(existing);
  }

  const { id, location } = await resolvePlace('account', ACCOUNT_TYPE, name, options, azure);
  const problem = await azure.accounts.nameProblem(id.subscriptionId, name);
  if (problem) throw new CmkError('NameTaken', problem, 'Choose another name: account names are unique in all Azure.');
  if (options.grant) await ensureIdentityRole(identity, source.vault, undefined, operation);
  else if (!options.roleGiven) await checkRole(identity.principalId, identity.name, source, operation);

  const text = `account ${name} created in ${id.resourceGroup} (${location}), encrypted with ${describeSource(source)}`;
  const { id: to } = source.key;
  const created = await journal.change({ text, action: 'account.create', resource: id.id, to }, () =>
    retryUntilStorageHasAccess(options.waitSeconds ?? PROPAGATION_SECONDS, operation, () =>
      azure.accounts.create(id, {
        location,
        sku: { name: sku },
        kind,
        identity: { type: 'UserAssigned', userAssignedIdentities: { [identity.id]: {} } },
        encryption: withKey({ services: servicesOf(options) }, source, identity.id),
        ...(options.tags ? { tags: options.tags } : {}),
      }),
    ),
  );

  if (!created) {
    const mode = source.pin === undefined ? 'automatic' : 'pinned';
    return { account: id.id, keySource: 'Microsoft.Keyvault', key: to, mode, version: source.pin };
  }

  noteUnprotected(created, kind, journal);

  return toAccountResult(created);
}

function nameTaken({ account, key, identity }: CreateOptions): CmkError {
  return new CmkError(
    'NameTaken',
    `The account ${account} already exists, and does not use this key.`,
    `Enable the key on it: cmk account enable ${account} --vault ${key.vault} --key ${key.key} --identity ${identity}`,
  );
}

/**
 * Queues and tables use the account's key only if the creation requests it. Only standard general-purpose v2 accounts
 * support this ("Create an account that supports customer-managed keys for tables and queues").
 */
function servicesOf({ kind, sku }: Pick<CreateOptions, 'kind' | 'sku'>): NonNullable<AccountEncryption['services']> {
  const coversAll = /^StorageV2$/i.test(kind) && !/^Premium/i.test(sku);
  const under = { enabled: true, keyType: 'Account' };
  return coversAll ? { blob: {}, queue: under, table: under } : { blob: {} };
}

/** Notes the data of a new account that its key does not protect. */
function noteUnprotected(account: Account, kind: string, journal: Journal): void {
  const services = listOwnKeyServices(account);
  if (services.length > 0) {
    const data = services.map((service) => `${service}s`).join(' and ');
    journal.note(
      `This key does not encrypt its ${data}, which stay readable after a revocation: only a standard account of kind StorageV2 can encrypt them with it.`,
    );
  } else if (!account.endpoints?.includes('queue')) {
    journal.found(`a ${kind} account has no queues and no tables`);
  }
}
