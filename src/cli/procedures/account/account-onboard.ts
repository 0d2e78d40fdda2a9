import type { Account } from '../../../accounts/account.ts';
import { CmkError } from '../../../errors/errors.ts';
import { parseVault } from '../../../keys/key-identifier.ts';
import { requireUsableVersion } from '../../../revocation/usable-key.ts';
import { ensureIdentity, ensureIdentityRole, ensureOfficer, PROPAGATION_SECONDS } from '../identity/identity-ensure.ts';
import { ensureKey } from '../key/key-ensure.ts';
import { checkName } from '../names.ts';
import type { Operation } from '../operator-azure.ts';
import {
  createKeyIn,
  createResourceId,
  findAccount,
  IDENTITY_TYPE,
  lookUpIdentity,
  lookUpVault,
  type Where,
} from '../resolve.ts';
import { ensureVault, noteVault } from '../vault/vault-ensure.ts';
import { enableAccount } from './account-enable.ts';
import { type AccountResult, planEnable, toAccountResult } from './account-plan.ts';
import { type Verification, verifyAccount } from './account-verify.ts';

export interface OnboardOptions extends Where {
  readonly account: string;
  readonly vault: string;
  /** Resource group for a new vault or identity; undefined: the account's. */
  readonly keyGroup?: string | undefined;
  readonly key: string;
  readonly identity: string;
  /** `newest`, or a version; undefined: automatic. */
  readonly pin?: string | undefined;
  readonly replaceIdentity?: boolean | undefined;
  readonly waitSeconds?: number | undefined;
}

/** Source: "Configure customer-managed keys for Azure Files". */
const COVERED =
  'the key encrypts the whole account with all file shares, SMB and NFS; a share cannot have a separate key';

export interface Onboarding extends AccountResult {
  /** Undefined in a dry run. */
  readonly verification: Verification | undefined;
}

/**
 * Sets up the vault, the right to manage keys, the key, the identity, its role, and the account's encryption. Each step
 * keeps existing resources, so an interrupted call can be repeated.
 */
export async function onboardAccount(options: OnboardOptions, operation: Operation): Promise<Onboarding> {
  const { azure, journal } = operation;
  const { keyGroup, pin, waitSeconds = PROPAGATION_SECONDS } = options;
  const version = pin === 'newest' ? undefined : pin;

  checkName('key', options.key);

  if (keyGroup !== undefined) checkName('resourceGroup', keyGroup);
  if (version !== undefined) checkName('version', version);

  const account = await findAccount(options.account, azure, options);

  journal.found(`account ${account.name} in ${account.resourceGroup} (${account.location})`);
  journal.found(COVERED);

  const { subscriptionId: subscription, location } = account;

  await checkOnboarding(account, version, options, operation);

  // Each step searches every readable subscription for the name before it creates a resource.
  const create = { subscription, resourceGroup: keyGroup ?? account.resourceGroup };
  const vault = await ensureVault({ name: options.vault, location, create }, operation);
  const key = createKeyIn(vault, options.key, azure.cloud);
  const keyName = `${vault.name}/${key.name}`;
  let hasKey = false;

  if (vault.planned) {
    const text = `Key Vault Crypto Officer assigned to you on vault ${vault.name}`;
    journal.planned({ text, action: 'role.assign', resource: vault.id });
    journal.planned({ text: `key ${keyName} created`, action: 'key.create', resource: key.id });
    journal.planned({ text: `rotation policy of ${keyName} set`, action: 'key.setPolicy', resource: key.id });
  } else {
    await ensureOfficer(vault, key, waitSeconds, operation);

    if (version !== undefined && !(journal.dryRun && journal.changed)) {
      requireUsableVersion(key, await azure.keys.listVersions(key), version, azure.now());
    }

    hasKey = (await ensureKey(key, {}, operation)).version !== undefined;
  }

  const identity = await ensureIdentity({ name: options.identity, location, create }, operation);
  const grantee = vault.planned ? { id: identity.id, name: identity.name } : identity;

  await ensureIdentityRole(grantee, vault, undefined, operation);

  // In a dry run the key and the role may be planned but not exist yet.
  if (!hasKey || !identity.principalId || (journal.dryRun && journal.changed)) {
    const text = `${account.name} encrypted with ${keyName}`;
    journal.planned({ text, action: 'account.setKey', resource: account.id, to: key.id });
    return { ...toAccountResult(account), verification: undefined };
  }

  const { replaceIdentity } = options;
  const choice = { vault: vault.id, key: key.name, pin };
  const asked = { account: account.id, key: choice, identity: identity.id, replaceIdentity };
  const result = await enableAccount({ ...asked, roleGiven: true, waitSeconds }, operation);
  if (journal.dryRun) return { ...result, verification: undefined };

  return { ...result, verification: await verifyAccount({ account: account.id }, operation) };
}

/**
 * Checks early for errors that Azure would report only after vault, key, identity and role exist. Assumes the planned
 * values for missing resources.
 *
 * @throws {@link CmkError} for the first conflict
 */
async function checkOnboarding(
  account: Account,
  version: string | undefined,
  { vault: vaultName, key: keyName, identity: named, replaceIdentity = false }: OnboardOptions,
  operation: Operation,
): Promise<void> {
  const { azure } = operation;
  const vault = await lookUpVault(vaultName, azure);
  if (vault) noteVault(vault, operation);

  const identity = await lookUpIdentity(named, azure);

  if (!vault && version !== undefined) {
    throw new CmkError(
      'UnknownVersion',
      `The vault ${vaultName} does not exist yet, so its key ${keyName} has no version ${version}.`,
      'Pin the account to the new version: --pin without a value.',
    );
  }

  const unmadeUri = `https://${vaultName.toLowerCase()}.${azure.cloud.keyVaultSuffix}`;
  const vaultUri = vault?.uri ?? parseVault(vaultName)?.vaultUri ?? unmadeUri;
  const { subscriptionId, resourceGroup } = account;
  const unmade = named.startsWith('/')
    ? named
    : createResourceId(subscriptionId, resourceGroup, IDENTITY_TYPE, named).id;

  planEnable(account, { vaultUri, keyName, pin: version }, identity?.id ?? unmade, replaceIdentity);
}
