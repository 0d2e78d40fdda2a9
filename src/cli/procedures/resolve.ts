import pMap from 'p-map';
import type { Account } from '../../accounts/account.ts';
import type { Cloud } from '../../azure/cloud.ts';
import { CONCURRENCY } from '../../azure/limits.ts';
import { ACCOUNT_TYPE, parseResourceId, type ResourceId } from '../../azure/resource-id.ts';
import { CmkError } from '../../errors/errors.ts';
import type { Reason } from '../../errors/reasons.ts';
import type { ManagedIdentity } from '../../identities/identity-client.ts';
import { parseKeyIdentifier, parseVault } from '../../keys/key-identifier.ts';
import { createManagedKey, type ManagedKey, type ManagedVault, parseManagedVault } from '../../keys/managed-vaults.ts';
import type { Vault } from '../../vaults/vault-client.ts';
import { checkName } from './names.ts';
import type { Azure } from './operator-azure.ts';

/** Where to search; if both are undefined, in every readable subscription. */
export interface Where {
  readonly subscription?: string | undefined;
  readonly resourceGroup?: string | undefined;
}

export const VAULT_TYPE = 'Microsoft.KeyVault/vaults';
const HSM_TYPE = 'Microsoft.KeyVault/managedHSMs';
/** A Managed HSM by name, as `--hsm` passes it: a vault may have the same name. */
const HSM_NAMED = /^managedHSMs\//i;
export const IDENTITY_TYPE = 'Microsoft.ManagedIdentity/userAssignedIdentities';

/**
 * Finds the vault or Managed HSM with that name, ARM id or URI; undefined if the sign-in can read none. Prefers a vault
 * to a Managed HSM of the same name.
 */
export async function lookUpVault(text: string, azure: Azure, where: Where = {}): Promise<Vault | undefined> {
  const name = text.replace(HSM_NAMED, '');
  for (const type of typesNamed(text)) {
    const id = idOf(name, type, where) ?? (await findOne(type, nameOfVault(name), azure, where));
    const found = id && (await azure.vaults.find(id));
    if (found) return found;
  }
  return undefined;
}

/** Resource types that the text may name, the preferred one first. */
function typesNamed(text: string): readonly string[] {
  const uri = parseVault(text);
  const isHsm = HSM_NAMED.test(text) || uri?.kind === 'managedHsm' || new RegExp(`/${HSM_TYPE}/`, 'i').test(text);
  if (isHsm) return [HSM_TYPE];
  // A vault URI or an ARM id without managedHSMs can only name a vault.
  if (uri || text.startsWith('/')) return [VAULT_TYPE];
  return [VAULT_TYPE, HSM_TYPE];
}

/** @throws {@link CmkError} `VaultNotFound` */
export async function findVault(text: string, azure: Azure, where: Where = {}): Promise<Vault> {
  const what = HSM_NAMED.test(text) ? 'Managed HSM' : 'key vault';
  const nextStep =
    'Create it with `cmk vault ensure`, or check name and subscription (`cmk doctor` shows what you see).';
  const vault = await lookUpVault(text, azure, where);
  return vault ?? notSeen('VaultNotFound', `${what} ${text.replace(HSM_NAMED, '')}`, where, nextStep);
}

/** Finds the account with that name or ARM id; undefined if the sign-in can read none. */
export async function lookUpAccount(text: string, azure: Azure, where: Where = {}): Promise<Account | undefined> {
  const id = await lookUp('account', ACCOUNT_TYPE, text, azure, where);
  return id && azure.accounts.find(id);
}

/** @throws {@link CmkError} `AccountNotFound` */
export async function findAccount(text: string, azure: Azure, where: Where = {}): Promise<Account> {
  if (parseResourceId(text)?.type.toLowerCase().startsWith('microsoft.fileshares/')) {
    throw new CmkError(
      'Refused',
      `${text} is a file share of the provider Microsoft.FileShares, which belongs to no storage account.`,
      'Set up its encryption on the share itself, in the portal: neither cmk nor the app changes it.',
    );
  }

  const nextStep =
    'Check name, resource group and subscription (`cmk account list --all` shows what you see), or create it with `cmk account create`.';
  const account = await lookUpAccount(text, azure, where);

  return account ?? notSeen('AccountNotFound', `storage account ${text}`, where, nextStep);
}

/** Finds the identity with that name or ARM id; undefined if the sign-in can read none. */
export async function lookUpIdentity(
  text: string,
  azure: Azure,
  where: Where = {},
): Promise<ManagedIdentity | undefined> {
  const id = await lookUp('identity', IDENTITY_TYPE, text, azure, where);
  return id && azure.identities.get(id);
}

async function lookUp(
  kind: 'account' | 'identity',
  type: string,
  text: string,
  azure: Azure,
  where: Where,
): Promise<ResourceId | undefined> {
  const id = idOf(text, type, where);
  if (!id) checkName(kind, text);
  return id ?? findOne(type, text, azure, where);
}

/** @throws {@link CmkError} `NotFound` */
export async function findIdentity(text: string, azure: Azure, where: Where = {}): Promise<ManagedIdentity> {
  const nextStep = `Create it: cmk admin ensure-identity ${text.split('/').at(-1)} --resource-group <group> --vault <vault>`;
  const identity = await lookUpIdentity(text, azure, where);
  return identity ?? notSeen('NotFound', `user-assigned identity ${text}`, where, nextStep);
}

/** Throws an error that names the place of the search. */
function notSeen(reason: Reason, what: string, { subscription, resourceGroup }: Where, nextStep: string): never {
  const places = [resourceGroup && `resource group ${resourceGroup}`, subscription && `subscription ${subscription}`];
  const known = places.filter(Boolean).join(' of ');
  const message = `There is no ${what}${known === '' ? '' : ` in ${known}`}, or your sign-in does not see it.`;
  throw new CmkError(reason, message, nextStep);
}

export function createKeyIn(vault: Vault, keyName: string, cloud: Cloud): ManagedKey {
  checkName('key', keyName);
  return createManagedKey(toManagedVault(vault, cloud), keyName);
}

export function toManagedVault(vault: Vault, cloud: Cloud): ManagedVault {
  const known = parseManagedVault(vault.id, cloud);
  if (!known) throw new TypeError(`${vault.id} is not the id of a vault.`);
  return known;
}

/**
 * Resolves a key of a vault by name, ARM id or URI, without Azure Resource Manager: break-glass and versions need only
 * Key Vault. `key` may be a full key identifier, which needs no vault.
 *
 * @throws {@link CmkError} `ArgumentInvalid`
 */
export function resolveKeyByName(key: string, vault: string | undefined, cloud: Cloud): ManagedKey {
  const identifier = parseKeyIdentifier(key);
  if (identifier) return createManagedKey(unseen(identifier), identifier.keyName);

  checkName('key', key);

  if (!vault) {
    throw new CmkError(
      'ArgumentInvalid',
      `No vault is named for the key ${key}.`,
      `Write <vault>/${key}, as \`cmk key list\` prints it; or add --vault <name>, or --hsm <name> for a Managed HSM.`,
    );
  }

  const byId = parseManagedVault(vault, cloud);
  if (byId) return createManagedKey(byId, key);

  const name = vault.replace(HSM_NAMED, '');
  const suffix = name === vault ? cloud.keyVaultSuffix : cloud.managedHsmSuffix;
  const byUri = parseVault(vault) ?? parseVault(`https://${nameOfVault(name)}.${suffix}`);
  if (byUri) return createManagedKey(unseen(byUri), key);

  checkName('vault', vault);
  throw new CmkError('ArgumentInvalid', `"${vault}" is not a vault.`, 'Pass the name, ARM id or URI of a vault.');
}

/** A vault without its ARM id, which was not read. */
function unseen({ kind, vaultName: name, vaultUri: uri }: NonNullable<ReturnType<typeof parseVault>>): ManagedVault {
  return { id: '', subscriptionId: '', resourceGroup: '', name, kind, uri };
}

function nameOfVault(text: string): string {
  const name = parseVault(text)?.vaultName ?? text;
  checkName('vault', name);
  return name;
}

function idOf(text: string, type: string, { subscription, resourceGroup }: Where): ResourceId | undefined {
  if (resourceGroup !== undefined) checkName('resourceGroup', resourceGroup);

  if (text.startsWith('/')) {
    const id = parseResourceId(text);
    if (id && id.type.toLowerCase() === type.toLowerCase()) return id;
    throw new CmkError(
      'ArgumentInvalid',
      `${text} is not the ARM id of a ${type}.`,
      `It looks like /subscriptions/<id>/resourceGroups/<group>/providers/${type}/<name>.`,
    );
  }

  if (!subscription || !resourceGroup || text.includes(':')) return undefined;
  return createResourceId(subscription, resourceGroup, type, text);
}

/** @throws {@link CmkError} `ArgumentInvalid` */
export function createResourceId(subscription: string, resourceGroup: string, type: string, name: string): ResourceId {
  checkName('resourceGroup', resourceGroup);
  const id = `/subscriptions/${subscription}/resourceGroups/${resourceGroup}/providers/${type}/${name}`;
  const parsed = parseResourceId(id);
  if (parsed) return parsed;
  throw new CmkError(
    'ArgumentInvalid',
    `"${subscription}" is not a subscription id.`,
    'A subscription id is a GUID: `az account list` shows it.',
  );
}

/**
 * Determines the ARM id and region of a new resource.
 *
 * @throws {@link CmkError} `ArgumentInvalid` if the group or region is missing, or the subscription is ambiguous
 */
export async function resolvePlace(
  kind: 'vault' | 'identity' | 'account',
  type: string,
  name: string,
  { resourceGroup, location, ...where }: Where & { readonly location?: string | undefined },
  azure: Azure,
): Promise<{ readonly id: ResourceId; readonly location: string }> {
  checkName(kind, name);

  if (resourceGroup && location) {
    return { id: createResourceId(await subscriptionFor(azure, where), resourceGroup, type, name), location };
  }

  const [lacks, option] = resourceGroup
    ? ['region', '--location <region>']
    : ['resource group', '--resource-group <group>'];
  throw new CmkError(
    'ArgumentInvalid',
    `Your sign-in sees no ${kind} ${name}, and creating it needs a ${lacks}.`,
    `Add ${option}; or, if it exists, ask for Reader on it.`,
  );
}

async function subscriptionFor(azure: Azure, { subscription }: Where): Promise<string> {
  const chosen = subscription ?? azure.defaultSubscription;
  if (chosen) return chosen.toLowerCase();

  const seen = await azure.subscriptions.list();
  const [only] = seen;
  if (only && seen.length === 1) return only;

  throw new CmkError(
    'ArgumentInvalid',
    seen.length === 0 ? 'Your sign-in sees no subscription.' : `Your sign-in sees ${seen.length} subscriptions.`,
    'Name one with --subscription <id>, or set AZURE_SUBSCRIPTION_ID.',
  );
}

async function findOne(
  type: string,
  name: string,
  azure: Azure,
  { subscription, resourceGroup }: Where,
): Promise<ResourceId | undefined> {
  const subscriptions = subscription ? [subscription.toLowerCase()] : await azure.subscriptions.list();
  const ids = await pMap(subscriptions, (candidate) => azure.resources.find(candidate, type, name), {
    concurrency: CONCURRENCY,
  });
  const found = ids
    .flat()
    .flatMap((id) => parseResourceId(id) ?? [])
    .filter((id) => !resourceGroup || id.resourceGroup.toLowerCase() === resourceGroup.toLowerCase());
  if (found.length <= 1) return found[0];

  throw new CmkError(
    'NotUnique',
    `There are ${found.length} resources of the type ${type} named ${name}.`,
    `Use the ARM id of one of them: ${found.map(({ id }) => id).join(' or ')}`,
  );
}
