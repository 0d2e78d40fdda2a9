import { CmkError } from '../../errors.ts';
import type { Account } from '../../fleet/account.ts';
import { openOfPart } from '../../revocation/account-record.ts';
import { restoreAccountCommand } from '../../revocation/restore-command.ts';
import type { Azure } from '../operator-azure.ts';
import { findAccount, type Where } from '../resolve.ts';

/**
 * The account that is to be written. One that is revoked by itself is not: whoever moves it, or gives its identity a role,
 * restores it without a second person.
 *
 * @throws {@link CmkError} `AccountRevocationOpen`, `AccountNotFound`
 */
export async function findUnrevoked(text: string, azure: Azure, where: Where): Promise<Account> {
  const account = await findAccount(text, azure, where);
  const [open] = openOfPart(account.tags, 'identity', azure.now());
  if (!open) return account;
  throw new CmkError(
    'AccountRevocationOpen',
    `${account.name} is revoked by itself since ${open.revokedOn.toISOString()}, and nothing of it is written until it is restored.`,
    `Have somebody else than who revoked it run: ${restoreAccountCommand(account, open)}`,
  );
}
