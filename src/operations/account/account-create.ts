import { sameResource } from '../../azure/resource-id.ts';
import { CmkError } from '../../errors.ts';
import { ensureIdentityRole } from '../identity/identity-ensure.ts';
import { PROPAGATION_SECONDS } from '../identity/role-ensure.ts';
import { checkRole, readKeySource } from '../key/key-source.ts';
import { checkName } from '../names.ts';
import type { Procedure } from '../operator-azure.ts';
import { ACCOUNT_TYPE, lookForAccount, resourceId, subscriptionFor } from '../resolve.ts';
import { chooseIdentity, type EnableOptions } from './account-enable.ts';
import { planEnable, withKey } from './account-plan.ts';
import { type AccountResult, accountResult, untilStorageHasAccess } from './account-write.ts';

export interface CreateOptions extends EnableOptions {
  readonly location: string | undefined;
  /** `Standard_LRS` … */
  readonly sku: string;
  /** `StorageV2` … */
  readonly kind: string;
}

/** Creates an account that is encrypted with a key of Key Vault from its first byte on. */
export async function createAccount(options: CreateOptions, procedure: Procedure): Promise<AccountResult> {
  const { azure, journal } = procedure;
  const { account: name, resourceGroup, location, sku, kind } = options;
  checkName('account', name);
  if (options.identity === undefined) {
    throw new CmkError(
      'SystemAssignedAtCreation',
      'A system-assigned identity exists only once its account does, so a new account cannot use one for its key.',
      'Use a user-assigned identity (cmk identity ensure), or create the account first and then run: cmk account enable',
    );
  }
  const existing = await lookForAccount(name, azure, options);
  const source = await readKeySource(options.key, procedure);
  const chosen = await chooseIdentity(options, procedure);
  if (existing) {
    const plan = planEnable(existing, source, chosen.identity, false);
    if (plan.write) {
      throw new CmkError(
        'NameTaken',
        `There is an account ${name} already, and it does not use this key.`,
        `Enable the key on it: cmk account enable ${name} --vault ${options.key.vault} --key ${options.key.key} --identity ${options.identity}`,
      );
    }
    journal.found(`account ${name} in ${existing.resourceGroup} (${existing.location}); ${plan.why}`);
    return accountResult(existing);
  }
  if (!resourceGroup || !location) {
    const lacking = resourceGroup ? '--location <region>' : '--resource-group <group>';
    throw new CmkError('ArgumentInvalid', `There is no account ${name} yet.`, `To create it, add ${lacking}.`);
  }
  const subscription = await subscriptionFor(azure, options);
  const problem = await azure.accounts.nameProblem(subscription, name);
  if (problem) throw new CmkError('NameTaken', problem, 'Choose another name: account names are unique in all Azure.');
  const { identity, principalId, name: identityName } = chosen;
  if (identity.kind !== 'userAssigned' || !principalId) throw new TypeError('Only a user-assigned identity is chosen.');
  if (options.grant && source.vault) {
    await ensureIdentityRole({ ...identity, name: identityName, principalId }, source.vault, undefined, procedure);
  } else {
    const unborn = {
      id: '',
      type: ACCOUNT_TYPE,
      name,
      subscriptionId: subscription,
      resourceGroup,
      location,
      tags: {},
      systemPrincipalId: undefined,
      userAssignedIdentities: [identity.id],
      principalIds: { [identity.id.toLowerCase()]: principalId },
      encryption: { encryptionIdentity: { encryptionUserAssignedIdentity: identity.id } },
    };
    await checkRole(unborn, source, identityName, procedure);
  }
  const mode = source.pin === undefined ? 'automatic' : `pinned to ${source.pin}`;
  const text = `account ${name} created in ${resourceGroup} (${location}), encrypted with ${source.vault?.name ?? source.vaultUri}/${source.keyName}, ${mode}`;
  const created = await journal.change(text, () =>
    untilStorageHasAccess(options.waitSeconds ?? PROPAGATION_SECONDS, procedure, () =>
      azure.accounts.create(resourceId(subscription, resourceGroup, ACCOUNT_TYPE, name), {
        location,
        sku,
        kind,
        identity: { type: 'UserAssigned', userAssignedIdentities: { [identity.id]: {} } },
        encryption: withKey({ services: { blob: {} } }, source, identity),
      }),
    ),
  );
  if (created) {
    const used = created.encryption.encryptionIdentity?.encryptionUserAssignedIdentity;
    if (!used || !sameResource(used, identity.id)) journal.note(`Azure's answer names another identity: ${used}`);
    return accountResult(created);
  }
  return {
    account: resourceId(subscription, resourceGroup, ACCOUNT_TYPE, name).id,
    keySource: 'Microsoft.Keyvault',
    key: `${source.vaultUri.replace(/\/$/, '')}/keys/${source.keyName}`,
    mode: source.pin === undefined ? 'automatic' : 'pinned',
    version: source.pin,
  };
}
