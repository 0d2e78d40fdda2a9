import type { Account } from '../../accounts/account.ts';
import { CmkError } from '../../errors.ts';
import { parseVault } from '../../keys/key-identifier.ts';
import type { Vault } from '../../vaults/vault-client.ts';
import { checkExpiry } from '../key/key-ensure.ts';
import { checkSize } from '../key/usable-key.ts';
import { checkName } from '../names.ts';
import type { Azure } from '../operator-azure.ts';
import { IDENTITY_TYPE, lookForIdentity, lookForVault, resourceId } from '../resolve.ts';
import type { OnboardOptions } from './account-onboard.ts';
import { planEnable } from './account-plan.ts';

/**
 * What is wrong with the words alone, before anything is asked of Azure. Names of accounts, vaults and identities are
 * checked where they are looked for.
 *
 * @throws {@link CmkError}
 */
export function checkWords({ key, keyGroup, pin, wantedKey }: OnboardOptions, now: Date): void {
  checkName('key', key);
  if (keyGroup !== undefined) checkName('resourceGroup', keyGroup);
  if (isVersion(pin)) checkName('version', pin);
  if (wantedKey.size !== undefined) checkSize(wantedKey.size);
  checkExpiry(wantedKey.expiresOn, now);
}

/**
 * What Azure would refuse in the end, once vault, key, identity and role are made for nothing. What is not there yet is
 * taken as it would be made.
 *
 * @throws {@link CmkError}
 */
export async function checkOnboarding(account: Account, options: OnboardOptions, azure: Azure): Promise<void> {
  const { key: keyName, pin, replaceIdentity = false } = options;
  const vault = await lookForVault(options.vault, azure);
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
export function isVersion(pin: string | undefined): pin is string {
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
