import { describeFailure } from '../../azure/failure.ts';
import { known, type Part, readPart } from '../../azure/read-or-why.ts';
import type { FileShare } from '../../dependents/stored-data-client.ts';
import { ACCOUNT_CHECKS, KEY_CHECKS } from '../../drift/checks/checks.ts';
import { evaluate } from '../../drift/checks/evaluate.ts';
import type { KeySubject, Rules, VaultSubject } from '../../drift/checks/subjects.ts';
import { VAULT_CHECKS } from '../../drift/checks/vault-checks.ts';
import { gatherAccount } from '../../drift/gather/gather-account.ts';
import { readKey } from '../../drift/gather/gather-keys.ts';
import { chooseShare } from '../../effect/probe-targets.ts';
import type { Account, PlatformScope, Scope } from '../../fleet/account.ts';
import { hasNoScopes } from '../../fleet/storage-client.ts';
import { checkKeyAccess, identityState } from '../../identities/check-key-access.ts';
import { userAssignedIdentity } from '../../identities/key-access.ts';
import { formatKeyIdentifier } from '../../keys/key-identifier.ts';
import { managedKey } from '../../keys/managed-vaults.ts';
import { readDrift } from '../../settings/settings.ts';
import type { Azure, Operation } from '../operator-azure.ts';
import { findAccount, keyByName, lookUpVault, managed, type Where } from '../resolve.ts';
import { type ChecklistLine, checklist, type FileServiceAnswer } from './checklist.ts';

export interface Verification {
  /** ARM id. */
  readonly account: string;
  /** Every check that ran has passed, and every required check could run. */
  readonly ok: boolean;
  readonly checks: readonly ChecklistLine[];
}

/**
 * Checks every requirement of an account's encryption with its key. Runs the drift check's checks, and sends a request
 * to the file service. Changes nothing.
 */
export async function verifyAccount(
  options: Where & { readonly account: string },
  { azure }: Operation,
): Promise<Verification> {
  const account = await findAccount(options.account, azure, options);
  const identityId = userAssignedIdentity(account);
  const identity = identityId ? await identityState(identityId, azure) : undefined;
  const vaults = cached((vaultUri) => readVault(vaultUri, azure));
  const keys = cached(async (id) => readKeyIn(id, vaults, azure));
  let scopes: Part<readonly (Scope | PlatformScope)[]> = { value: [] };
  const [subject, fileService] = await Promise.all([
    gatherAccount(account, {
      key: (use) => keys(formatKeyIdentifier(use)),
      access: async (of, { key }) => (await checkKeyAccess([of], key, azure))[0],
      scopes: async (of) => {
        scopes = await readScopes(of, azure);
        return known(scopes) ?? [];
      },
      own: false,
    }),
    queryFileService(account, azure),
  ]);
  const { use, key } = subject;
  const vault = use && (await vaults(use.vaultUri));
  // Ignores required keys and exemptions: this command checks one account, not the fleet.
  const drift = readDrift({}, azure.cloud);
  const rules: Rules = { now: azure.now(), drift, contests: [], wantedSubscriptions: undefined, wantedWatches: [] };
  const findings = [
    ...evaluate(ACCOUNT_CHECKS, subject, account.id, rules),
    ...(key ? evaluate(KEY_CHECKS, key, key.key.id, rules) : []),
    ...(vault ? evaluate(VAULT_CHECKS, vault, vault.vault.id, rules) : []),
  ];
  const checks = checklist({ subject, vault, identity, scopes, findings, fileService });
  const holds = ({ state, check }: ChecklistLine) =>
    state === 'ok' || state === 'advice' || (state === 'unknown' && check === 'file service');
  return { account: account.id, ok: use !== undefined && checks.every(holds), checks };
}

async function readScopes(account: Account, { accounts }: Azure): Promise<Part<readonly (Scope | PlatformScope)[]>> {
  const action = 'Microsoft.Storage/storageAccounts/encryptionScopes/read';
  return readPart({ resource: account.id, what: 'the encryption scopes of the account', action }, async () => {
    const scopes: (Scope | PlatformScope)[] = [];
    try {
      for await (const scope of accounts.listAllScopes(account)) scopes.push(scope);
    } catch (error) {
      if (!hasNoScopes(describeFailure(error))) throw error;
    }
    return scopes;
  });
}

async function queryFileService(account: Account, { shares, listFiles }: Azure): Promise<FileServiceAnswer> {
  try {
    const found: FileShare[] = [];
    for await (const next of shares.list(account)) found.push(next);
    const share = chooseShare(found);
    if (share !== undefined) await listFiles(account.name, share);
    return { served: share };
  } catch (error) {
    return { failure: describeFailure(error) };
  }
}

/** Reads each argument once and returns the cached answer afterwards. */
function cached<T>(read: (of: string) => Promise<T>): (of: string) => Promise<T> {
  const answers = new Map<string, Promise<T>>();
  return (of) => {
    const answer = answers.get(of.toLowerCase()) ?? read(of);
    answers.set(of.toLowerCase(), answer);
    return answer;
  };
}

/** Reads a vault. A vault that the sign-in cannot read has no ARM id here. */
async function readVault(vaultUri: string, azure: Azure): Promise<VaultSubject> {
  const what = { resource: vaultUri, what: 'the vault', action: 'Microsoft.KeyVault/vaults/read' };
  const properties = await readPart(what, () => lookUpVault(vaultUri, azure));
  const seen = known(properties);
  const vault = seen ? managed(seen, azure.cloud) : keyByName(`${vaultUri}/keys/any`, undefined, azure.cloud).vault;
  return { vault, properties, events: undefined, deadLetters: { value: [] } };
}

async function readKeyIn(
  id: string,
  vaults: (uri: string) => Promise<VaultSubject>,
  azure: Azure,
): Promise<KeySubject> {
  const { vault: named, name } = keyByName(id, undefined, azure.cloud);
  const { vault, properties } = await vaults(named.uri);
  const key = await readKey(managedKey(vault, name), { keys: azure.keys, keyCatalog: azure.keyAdmin });
  const unseen = 'value' in properties && properties.value === undefined;
  // A vault that ARM does not show may still serve its keys. A `forbidden` answer proves that it exists.
  const answers = 'unread' in key.versions ? key.versions.unread.kind === 'forbidden' : key.versions.value.length > 0;
  if (!unseen || answers) return key;
  return { ...key, state: 'vaultGone' };
}
