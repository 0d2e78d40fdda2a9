import { ensureIdentity, ensureIdentityRole } from '../identity/identity-ensure.ts';
import { ensureOfficer, PROPAGATION_SECONDS } from '../identity/role-ensure.ts';
import { ensureKey, type WantedKey } from '../key/key-ensure.ts';
import { usableVersion } from '../key/usable-key.ts';
import type { Procedure } from '../operator-azure.ts';
import { findAccount, keyIn, type Where } from '../resolve.ts';
import { ensureVault } from '../vault/vault-ensure.ts';
import { enableAccount } from './account-enable.ts';
import { checkOnboarding, checkWords, isVersion } from './account-onboard-check.ts';
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

export interface Onboarding extends AccountResult {
  /** Undefined in a dry run. */
  readonly verification: Verification | undefined;
}

/**
 * Everything that an account needs to be encrypted with a key of Key Vault, in one go: vault, right to manage keys, key,
 * identity, its role, and the account itself. Each step looks first and keeps what is there, so that after an
 * interruption, at whatever point, the same call goes on where the last one ended.
 */
export async function onboardAccount(options: OnboardOptions, procedure: Procedure): Promise<Onboarding> {
  const { azure, journal } = procedure;
  checkWords(options, azure.now());
  const account = await findAccount(options.account, azure, options);
  journal.found(`account ${account.name} in ${account.resourceGroup} (${account.location})`);
  const { subscriptionId: subscription, location } = account;
  const resourceGroup = options.keyGroup ?? account.resourceGroup;
  const waitSeconds = options.waitSeconds ?? PROPAGATION_SECONDS;
  await checkOnboarding(account, options, azure);

  // A name is looked for everywhere before anything of that name is created.
  const create = { subscription, resourceGroup };
  const vault = await ensureVault({ name: options.vault, location, sku: options.sku, create }, procedure);
  const key = keyIn(vault, options.key, azure.cloud);
  if (vault.planned)
    await journal.change(`Key Vault Crypto Officer given to you on vault ${vault.name}`, async () => {});
  else await ensureOfficer(vault, key, waitSeconds, procedure);
  if (isVersion(options.pin) && !(journal.dryRun && journal.changed)) {
    usableVersion(key, await azure.keys.listVersions(key), options.pin, azure.now());
  }

  const keyPlanned = vault.planned || !(await ensureKey(key, options.wantedKey, procedure)).version;
  if (vault.planned) await journal.change(`key ${vault.name}/${key.name} created`, async () => {});
  const identity = await ensureIdentity({ name: options.identity, location, create }, procedure);
  const roleKey = options.roleOnKey ? key.name : undefined;
  const { planned: _, ...known } = vault;
  await ensureIdentityRole(
    vault.planned ? { id: identity.id, name: identity.name } : identity,
    known,
    roleKey,
    procedure,
  );

  if (keyPlanned || !identity.principalId) {
    await journal.change(`${account.name} encrypted with ${vault.name}/${key.name}`, async () => {});
    return { ...accountResult(account), verification: undefined };
  }
  // In a dry run the role may still be missing, and it is planned by now.
  if (journal.dryRun && journal.changed) {
    await journal.change(`${account.name} encrypted with ${vault.name}/${key.name}`, async () => {});
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
    procedure,
  );
  if (journal.dryRun) return { ...result, verification: undefined };
  return { ...result, verification: await verifyAccount({ account: account.id }, procedure) };
}
