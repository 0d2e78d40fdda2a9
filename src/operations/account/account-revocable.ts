import { unlessMissing } from '../../azure/failure.ts';
import { scopeResource } from '../../azure/resource-id.ts';
import { CmkError } from '../../errors.ts';
import type { Account } from '../../fleet/account.ts';
import type { KeyUse } from '../../fleet/key-use.ts';
import { accountKeyUse, scopeKeyUse } from '../../fleet/key-use.ts';
import { type Revocable, readRevocable } from '../../identities/revocable.ts';
import { parseVault } from '../../keys/key-identifier.ts';
import { type ManagedKey, managedKey } from '../../keys/managed-vaults.ts';
import { REASONS } from '../../reasons.ts';
import { type RevokedPart, scopeOfPart, type Taken } from '../../revocation/account-record.ts';
import type { Change } from '../journal.ts';
import type { Azure } from '../operator-azure.ts';
import { findVault, managed } from '../resolve.ts';

/** A part of an account with its key, in whichever vault. @throws {@link CmkError} `AccountNotManaged`, `VaultNotFound` */
export async function revocableOf(account: Account, part: RevokedPart, azure: Azure): Promise<Revocable> {
  const scope = scopeOfPart(part);
  const read = scope === undefined ? undefined : await unlessMissing(() => azure.accounts.getScope(account, scope));
  const use = scope === undefined ? accountKeyUse(account.encryption) : read && scopeKeyUse(read);
  const key = use && (await keyOf(use, azure));
  const found = key && (await readRevocable(account, part, () => key, azure));
  if (found) return found;
  throw new CmkError(
    'AccountNotManaged',
    `${scope === undefined ? account.name : `${account.name}/${scope}`}: ${REASONS.AccountNotManaged}`,
    'Check the names; what is under keys of Microsoft cannot be revoked.',
  );
}

async function keyOf({ vaultUri, keyName }: KeyUse, azure: Azure): Promise<ManagedKey> {
  const { kind, vaultName } = parseVault(vaultUri) ?? {};
  const vault = await findVault(kind === 'managedHsm' ? `managedHSMs/${vaultName}` : vaultUri, azure);
  return managedKey(managed(vault, azure.cloud), keyName);
}

/** One thing that is taken away or given back, as a change. */
export function changeOf(taken: Taken, { id }: { readonly id: string }, did: 'take' | 'give'): Change {
  if (taken.kind === 'scope') {
    const resource = scopeResource(id, taken.name);
    return did === 'take'
      ? { text: `encryption scope ${taken.name} disabled`, action: 'scope.disable', resource }
      : { text: `encryption scope ${taken.name} enabled`, action: 'scope.enable', resource };
  }
  if (taken.kind === 'localRole') {
    const place = `${new URL(taken.hsm).hostname.split('.')[0]}${taken.scope}`;
    const resource = `${taken.hsm}${taken.scope}/providers/Microsoft.Authorization/roleAssignments/${taken.name}`;
    return roleChange(`local role of ${taken.principalId} on ${place}`, resource, did);
  }
  const at = taken.scope.slice(taken.scope.toLowerCase().indexOf('/vaults/') + '/vaults/'.length);
  const resource = `${taken.scope}/providers/Microsoft.Authorization/roleAssignments/${taken.name}`;
  return roleChange(`role of ${taken.principalId} on ${at}`, resource, did);
}

function roleChange(what: string, resource: string, did: 'take' | 'give'): Change {
  return did === 'take'
    ? { text: `${what} taken away`, action: 'role.remove', resource }
    : { text: `${what} given back`, action: 'role.assign', resource };
}
