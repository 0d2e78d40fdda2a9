import { CmkError } from '../../errors.ts';
import type { Account } from '../../fleet/account.ts';
import { parseVault } from '../../keys/key-identifier.ts';
import type { Vault } from '../../vaults/vault-client.ts';
import { ensureIdentity, ensureIdentityRole } from '../identity/identity-ensure.ts';
import { ensureOfficer, PROPAGATION_SECONDS } from '../identity/role-ensure.ts';
import { ensureKey, type WantedKey } from '../key/key-ensure.ts';
import { checkExpiry, checkSize, usableVersion } from '../key/usable-key.ts';
import { checkName } from '../names.ts';
import type { Azure, Operation } from '../operator-azure.ts';
import {
  findAccount,
  IDENTITY_TYPE,
  keyIn,
  lookForIdentity,
  lookForVault,
  resourceId,
  type Where,
} from '../resolve.ts';
import { ensureVault } from '../vault/vault-ensure.ts';
import { noteVault } from '../vault/vault-notes.ts';
import { enableAccount } from './account-enable.ts';
import { planEnable } from './account-plan.ts';
import { type Verification, verifyAccount } from './account-verify.ts';
import { type AccountResult, accountResult } from './account-write.ts';

export interface OnboardOptions extends Where {
  readonly account: string;
  readonly vault: string;
  /** Resource group of a vault or identity that is to be created; undefined: the account's. */
  readonly keyGroup?: string | undefined;
  readonly sku?: 'standard' | 'premium' | undefined;
  readonly key: string;
  readonly wantedKey: WantedKey;
  readonly identity: string;
  /** `newest`, or a version; undefined: automatic. */
  readonly pin?: string | undefined;
  /** The role on the key alone instead of on the vault. */
  readonly roleOnKey?: boolean | undefined;
  readonly replaceIdentity?: boolean | undefined;
  readonly waitSeconds?: number | undefined;
}

/** Source: "Configure customer-managed keys for Azure Files". */
const COVERED =
  'the key is for the whole account: for all of its file shares, SMB and NFS alike; a share has no key of its own';

export interface Onboarding extends AccountResult {
  /** Undefined in a dry run. */
  readonly verification: Verification | undefined;
}

/**
 * Everything that an account needs to be encrypted with a key of Key Vault, in one go: vault, right to manage keys, key,
 * identity, its role, and the account itself. Each step looks first and keeps what is there, so that after an
 * interruption, at whatever point, the same call goes on where the last one ended.
 */
export async function onboardAccount(options: OnboardOptions, operation: Operation): Promise<Onboarding> {
  const { azure, journal } = operation;
  checkWords(options, azure.now());
  const account = await findAccount(options.account, azure, options);
  journal.found(`account ${account.name} in ${account.resourceGroup} (${account.location})`);
  journal.found(COVERED);
  const { subscriptionId: subscription, location } = account;
  const resourceGroup = options.keyGroup ?? account.resourceGroup;
  const waitSeconds = options.waitSeconds ?? PROPAGATION_SECONDS;
  await checkOnboarding(account, options, operation);

  // A name is looked for everywhere before anything of that name is created.
  const create = { subscription, resourceGroup };
  const vault = await ensureVault({ name: options.vault, location, sku: options.sku, create }, operation);
  const key = keyIn(vault, options.key, azure.cloud);
  if (vault.planned) {
    const text = `Key Vault Crypto Officer given to you on vault ${vault.name}`;
    journal.planned({ text, action: 'role.assign', resource: vault.id });
  }
  if (!vault.planned) await ensureOfficer(vault, key, waitSeconds, operation);
  if (isVersion(options.pin) && !(journal.dryRun && journal.changed)) {
    usableVersion(key, await azure.keys.listVersions(key), options.pin, azure.now());
  }

  const keyPlanned = vault.planned || !(await ensureKey(key, options.wantedKey, operation)).version;
  if (vault.planned) {
    journal.planned({ text: `key ${vault.name}/${key.name} created`, action: 'key.create', resource: key.id });
    const text = `rotation policy of ${vault.name}/${key.name} set`;
    if (options.wantedKey.policy !== 'none' && options.wantedKey.expiresOn !== 'never')
      journal.planned({ text, action: 'key.setPolicy', resource: key.id });
  }
  const identity = await ensureIdentity({ name: options.identity, location, create }, operation);
  const roleKey = options.roleOnKey ? key.name : undefined;
  const { planned: _, ...known } = vault;
  const grantee = vault.planned ? { id: identity.id, name: identity.name } : identity;
  await ensureIdentityRole(grantee, known, roleKey, operation);

  // In a dry run key and role may still be missing, and they are planned by now.
  if (keyPlanned || !identity.principalId || (journal.dryRun && journal.changed)) {
    const text = `${account.name} encrypted with ${vault.name}/${key.name}`;
    journal.planned({ text, action: 'account.setKey', resource: account.id, to: key.id });
    return { ...accountResult(account), verification: undefined };
  }
  const result = await enableAccount(
    {
      account: account.id,
      key: { vault: vault.id, key: key.name, pin: options.pin },
      identity: identity.id,
      replaceIdentity: options.replaceIdentity,
      roleGiven: true,
      waitSeconds,
    },
    operation,
  );
  if (journal.dryRun) return { ...result, verification: undefined };
  return { ...result, verification: await verifyAccount({ account: account.id }, operation) };
}

/**
 * What is wrong with the words alone, before anything is asked of Azure. Names of accounts, vaults and identities are
 * checked where they are looked for.
 *
 * @throws {@link CmkError}
 */
function checkWords({ key, keyGroup, pin, wantedKey }: OnboardOptions, now: Date): void {
  checkName('key', key);
  if (keyGroup !== undefined) checkName('resourceGroup', keyGroup);
  if (isVersion(pin)) checkName('version', pin);
  if (wantedKey.size !== undefined) checkSize(wantedKey.size);
  if (wantedKey.expiresOn !== 'never') checkExpiry(wantedKey.expiresOn, now);
}

/**
 * What Azure would refuse in the end, once vault, key, identity and role are made for nothing. What is not there yet is
 * taken as it would be made.
 *
 * @throws {@link CmkError}
 */
async function checkOnboarding(account: Account, options: OnboardOptions, operation: Operation): Promise<void> {
  const { azure } = operation;
  const { key: keyName, pin, replaceIdentity = false } = options;
  const vault = await lookForVault(options.vault, azure);
  if (vault) noteVault(vault, operation);
  const identity = await lookForIdentity(options.identity, azure);
  checkHardware(vault, options);
  if (!vault && isVersion(pin)) {
    throw new CmkError(
      'UnknownVersion',
      `There is no vault ${options.vault} yet, so that its key ${keyName} has no version ${pin}.`,
      'Pin it to the version that is made: --pin alone.',
    );
  }
  const vaultUri = vault?.uri ?? parseVault(options.vault)?.vaultUri ?? uriOf(options.vault, azure);
  const id = identity?.id ?? unmade(account, options.identity);
  const wanted = { vaultUri, keyName, pin: isVersion(pin) ? pin : undefined };
  planEnable(account, wanted, { kind: 'userAssigned', id }, replaceIdentity);
}

/** Whether a version is named, which then has to be there. */
function isVersion(pin: string | undefined): pin is string {
  return pin !== undefined && pin !== 'newest';
}

function checkHardware(vault: Vault | undefined, { vault: name, sku, wantedKey }: OnboardOptions): void {
  if (wantedKey.kty !== 'RSA-HSM' || (vault?.sku ?? sku) === 'premium') return;
  throw new CmkError(
    'ArgumentInvalid',
    `A key in hardware (RSA-HSM) needs a premium vault, and ${name} ${vault ? 'is a standard one' : 'would be a standard one'}.`,
    vault ? 'Name another vault, or take a key of type RSA.' : 'Add --premium.',
  );
}

function uriOf(name: string, { cloud }: Azure): string {
  return `https://${name.toLowerCase()}.${cloud.keyVaultSuffix}`;
}

function unmade({ subscriptionId, resourceGroup }: Account, name: string): string {
  return name.startsWith('/') ? name : resourceId(subscriptionId, resourceGroup, IDENTITY_TYPE, name).id;
}
