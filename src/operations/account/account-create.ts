import { ACCOUNT_TYPE, sameResource } from '../../azure/resource-id.ts';
import { CmkError } from '../../errors.ts';
import { type Account, type AccountEncryption, ownKeyServices } from '../../fleet/account.ts';
import { ensureIdentityRole } from '../identity/identity-ensure.ts';
import { PROPAGATION_SECONDS } from '../identity/role-ensure.ts';
import type { Journal } from '../journal.ts';
import { checkRole, describeSource, readKeySource } from '../key/key-source.ts';
import { checkName } from '../names.ts';
import type { Operation } from '../operator-azure.ts';
import { lookUpAccount, placeToCreate } from '../resolve.ts';
import { type EnableOptions, findOwn, SYSTEM_ASSIGNED } from './account-enable.ts';
import { planEnable, withKey } from './account-plan.ts';
import { type AccountResult, accountResult, untilStorageHasAccess } from './account-write.ts';

interface CreateOptions extends EnableOptions {
  readonly location: string | undefined;
  /** `Standard_LRS` … */
  readonly sku: string;
  /** `StorageV2` … */
  readonly kind: string;
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
    return accountResult(existing);
  }
  const { id, location } = await placeToCreate('account', ACCOUNT_TYPE, name, options, azure);
  const problem = await azure.accounts.nameProblem(id.subscriptionId, name);
  if (problem) throw new CmkError('NameTaken', problem, 'Choose another name: account names are unique in all Azure.');
  if (options.grant) await ensureIdentityRole(identity, source.vault, undefined, operation);
  else await checkRole(identity.principalId, identity.name, source, operation);
  const text = `account ${name} created in ${id.resourceGroup} (${location}), encrypted with ${describeSource(source)}`;
  const { id: to } = source.key;
  const created = await journal.change({ text, action: 'account.create', resource: id.id, to }, () =>
    untilStorageHasAccess(options.waitSeconds ?? PROPAGATION_SECONDS, operation, () =>
      azure.accounts.create(id, {
        location,
        sku: { name: sku },
        kind,
        identity: { type: 'UserAssigned', userAssignedIdentities: { [identity.id]: {} } },
        encryption: withKey({ services: servicesOf(options) }, source, identity.id),
      }),
    ),
  );
  if (!created) {
    const mode = source.pin === undefined ? 'automatic' : 'pinned';
    return { account: id.id, keySource: 'Microsoft.Keyvault', key: to, mode, version: source.pin };
  }
  const used = created.encryption.encryptionIdentity?.encryptionUserAssignedIdentity;
  if (!used || !sameResource(used, identity.id)) journal.note(`Azure's answer names another identity: ${used}`);
  noteUnprotected(created, kind, journal);
  return accountResult(created);
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
  const services = ownKeyServices(account);
  if (services.length > 0) {
    const data = services.map((service) => `${service}s`).join(' and ');
    journal.note(
      `This key does not encrypt its ${data}, which stay readable after a revocation: only a standard account of kind StorageV2 can encrypt them with it.`,
    );
  } else if (!account.endpoints?.includes('queue')) {
    journal.found(`a ${kind} account has no queues and no tables`);
  }
}
