import type { Account } from '../../accounts/account.ts';
import { accountKeyUse } from '../../accounts/key-use.ts';
import { describeFailure } from '../../azure/failure.ts';
import type { FileShare } from '../../dependents/file-shares-client.ts';
import { chooseShare } from '../../effect/probe-targets.ts';
import { checkKeyAccess, identityState } from '../../identities/check-key-access.ts';
import { userAssignedIdentity } from '../../identities/key-access.ts';
import { type ManagedKey, managedKey } from '../../keys/managed-vaults.ts';
import type { Vault } from '../../vaults/vault-client.ts';
import type { Azure, Procedure } from '../operator-azure.ts';
import { findAccount, keyByName, lookForVault, managed, type Where } from '../resolve.ts';
import { type Check, checkAccount, type Read } from './checklist.ts';

export interface Verification {
  /** ARM id. */
  readonly account: string;
  /** Every check that could be made holds, and every one that matters could be made. */
  readonly ok: boolean;
  readonly checks: readonly Check[];
}

/** Looks at everything that an account needs to be encrypted with its key, and to stay so. Changes nothing. */
export async function verifyAccount(
  options: Where & { readonly account: string },
  { azure }: Procedure,
): Promise<Verification> {
  const account = await findAccount(options.account, azure, options);
  const use = accountKeyUse(account.encryption);
  const named = use && keyByName(`${use.vaultUri}/keys/${use.keyName}`, undefined, azure.cloud);
  const nothing = { value: undefined } as const;
  const identityId = userAssignedIdentity(account);
  const [vault, versions, key, identity, asked] = await Promise.all([
    named ? read(() => lookForVault(named.vault.uri, azure)) : nothing,
    named ? read(() => azure.keys.listVersions(named)) : { value: [] },
    named ? read(() => azure.keyAdmin.describe(named)) : nothing,
    identityId ? identityState(identityId, azure) : undefined,
    askFileService(account, azure),
  ]);
  const inVault = named && seenKey(named, vault, azure);
  const [access] = inVault ? await checkKeyAccess([account], inVault, azure) : [];
  const checks = checkAccount({ account, use, vault, versions, key, identity, access, ...asked, now: azure.now() });
  const ok =
    use !== undefined &&
    checks.every(({ state, check }) => state === 'ok' || (state === 'unknown' && check === 'file service'));
  return { account: account.id, ok, checks };
}

/** The key with the ARM id of its vault, which roles are read by. */
function seenKey(key: ManagedKey, vault: Read<Vault | undefined>, azure: Azure): ManagedKey | undefined {
  return 'value' in vault && vault.value ? managedKey(managed(vault.value, azure.cloud), key.name) : undefined;
}

async function askFileService(
  account: Account,
  { shares, fileService }: Azure,
): Promise<{ fileService: Read<'served' | undefined>; share: string | undefined }> {
  let share: string | undefined;
  const answer = await read(async () => {
    const found: FileShare[] = [];
    for await (const next of shares.list(account)) found.push(next);
    share = chooseShare(found);
    if (share === undefined) return undefined;
    await fileService.listRoot(account.name, share);
    return 'served' as const;
  });
  return { fileService: answer, share };
}

async function read<T>(run: () => Promise<T>): Promise<Read<T>> {
  try {
    return { value: await run() };
  } catch (error) {
    return { failure: describeFailure(error) };
  }
}
