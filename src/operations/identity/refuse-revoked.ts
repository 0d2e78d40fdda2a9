import { describe, describeFailure } from '../../azure/failure.ts';
import { sameResource } from '../../azure/resource-id.ts';
import { CmkError } from '../../errors.ts';
import type { Account } from '../../fleet/account.ts';
import { accountKeyUse } from '../../fleet/key-use.ts';
import { keyIdentity } from '../../identities/key-access.ts';
import { keyOfTaken, placeOfRole } from '../../identities/role-grant.ts';
import { parseVault } from '../../keys/key-identifier.ts';
import { allTaken, openOfPart, type Taken } from '../../revocation/account-record.ts';
import { restoreAccountCommand } from '../../revocation/restore-command.ts';
import type { Vault } from '../../vaults/vault-client.ts';
import type { Operation } from '../operator-azure.ts';
import type { Grantee } from './grantee.ts';

/**
 * An identity that lost its role with an account gets it back by a restore, by a second person, and by no other command. All
 * accounts in sight are listed: it is asked of what several accounts may have, and when it is about to be given something.
 * Where not all can be listed that is said, and goes on: it is a person's own hand.
 *
 * @param key the one key that a role is to be given on; undefined: all keys of the vault
 * @throws {@link CmkError} `AccountRevocationOpen`
 */
export async function refuseRevoked(
  { principalId, name }: Pick<Grantee, 'principalId' | 'name'>,
  vault: Vault,
  key: string | undefined,
  { azure, journal }: Operation,
): Promise<void> {
  const uri = parseVault(vault.uri)?.vaultUri;
  const isIt = (id: string): boolean => id.toLowerCase() === principalId.toLowerCase();
  const isSameKey = (name: string | undefined): boolean =>
    key === undefined || name === undefined || name.toLowerCase() === key.toLowerCase();
  const isUser = (account: Account): boolean => {
    const identity = keyIdentity(account);
    const use = accountKeyUse(account.encryption);
    return 'principalId' in identity && isIt(identity.principalId) && use?.vaultUri === uri && isSameKey(use?.keyName);
  };
  // What the record took counts, wherever the account is now: with a role of the whole vault its scopes lost theirs too.
  const isGivenBack = (one: Taken): boolean => {
    if (one.kind === 'scope' || !isIt(one.principalId) || !isSameKey(keyOfTaken(one))) return false;
    return one.kind === 'localRole'
      ? one.hsm.toLowerCase() === uri?.toLowerCase()
      : sameResource(placeOfRole(one.scope).vaultId, vault.id);
  };
  try {
    for (const subscription of await azure.subscriptions.list()) {
      for await (const account of azure.accounts.list(subscription)) {
        const all = openOfPart(account.tags, 'identity', azure.now());
        const [open] = all;
        // Or it was put onto that key since: it would have access again by another role than was taken.
        if (!open || !(allTaken(all).some(isGivenBack) || isUser(account))) continue;
        throw new CmkError(
          'AccountRevocationOpen',
          `${name} is the identity of ${account.name}, which is revoked by itself since ${open.revokedOn.toISOString()}: with its role it would have access again.`,
          `Have somebody else than who revoked it run: ${restoreAccountCommand(account, open)}`,
        );
      }
    }
  } catch (error) {
    if (error instanceof CmkError) throw error;
    journal.note(
      `Whether an account of ${name} is revoked by itself is not known: ${describe(describeFailure(error))}`,
    );
  }
}
