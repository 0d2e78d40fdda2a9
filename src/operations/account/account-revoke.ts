import { lastName } from '../../azure/resource-id.ts';
import { CmkError } from '../../errors.ts';
import type { Account } from '../../fleet/account.ts';
import { accountKeyUse } from '../../fleet/key-use.ts';
import { readKeyGrants, removeKeyGrant } from '../../identities/change-key-grants.ts';
import { othersWithIdentity } from '../../identities/identity-sharing.ts';
import { keyIdentity } from '../../identities/key-access.ts';
import type { KeyGrant } from '../../identities/key-grant.ts';
import { parseVault } from '../../keys/key-identifier.ts';
import { type ManagedKey, managedKey } from '../../keys/managed-vaults.ts';
import { REASONS } from '../../reasons.ts';
import { auditWarning, NOT_AUDITED } from '../../revocation/record-revocation.ts';
import { type AppRecord, callBy } from '../key/app-record.ts';
import type { Azure, Operation } from '../operator-azure.ts';
import { findAccount, findVault, managed, type Where } from '../resolve.ts';
import { grantChange } from './grant-change.ts';

interface AccountRevokeOptions extends Where {
  /** Name or ARM id. */
  readonly account: string;
  /** Whether to go on where other accounts have the same identity. */
  readonly shared: boolean;
  readonly reason: string;
  readonly ticket?: string | undefined;
  readonly audit: AppRecord['audit'];
}

interface AccountRevokeResult {
  /** ARM id. */
  readonly account: string;
  readonly key: string;
  /** Whether a fresh read shows no access of the identity to the key. */
  readonly complete: boolean;
  readonly removed: readonly KeyGrant[];
  /** ARM ids of other accounts that lose access too. */
  readonly others: readonly string[];
  /** `written`, or why there is no audit record. */
  readonly audit: string;
}

/** How long to wait for the audit trail. It must not hold up a revocation. Milliseconds. */
const AUDIT_WAIT_MS = 2_000;

/**
 * Removes the access of an account's identity to its key, once. What is removed is recorded first, so that a restore finds it
 * although the process ended in between; without an audit trail the revocation goes on, and shows how to undo it by hand.
 *
 * @throws {@link CmkError} `AccountNotFound`, `AccountNotManaged`, `AccountNotRevocable`, `IdentityShared`,
 *   `SubscriptionUnreadable`: nothing was changed
 */
export async function revokeAccount(options: AccountRevokeOptions, operation: Operation): Promise<AccountRevokeResult> {
  const { azure, journal } = operation;
  const account = await findAccount(options.account, azure, options);
  const { key, principalId } = await accessOf(account, azure);
  const [removed, others] = await Promise.all([
    readKeyGrants(principalId, key, azure),
    othersWithIdentity(account, key, () => azure.subscriptions.list(), azure.accounts),
  ]);
  const names = others.map((id) => lastName(id)).join(', ');
  if (others.length > 0 && !options.shared) {
    throw new CmkError(
      'IdentityShared',
      `${REASONS.IdentityShared} The identity of ${account.name} is also that of ${names}.`,
      'Add --shared to cut these off too; or disable an encryption scope of the account (cmk scope disable).',
    );
  }
  if (others.length > 0) journal.note(`Also cut off, as they have the same identity: ${names}`);
  const result = { account: account.id, key: key.id, removed, others };
  if (removed.length === 0) {
    journal.found(`the identity of ${account.name} has no access to ${key.vault.name}/${key.name}`);
    return { ...result, complete: true, ...NOT_AUDITED };
  }
  if (journal.dryRun) {
    for (const grant of removed) journal.planned(grantChange(grant, 'remove'));
    describe(account, operation);
    return { ...result, complete: false, ...NOT_AUDITED };
  }
  const record = await recorder(account, { ...result, removes: removed }, options, operation);
  if ((await record('AccountRevocationBegun')) !== 'written') {
    const grants = JSON.stringify(removed);
    journal.note(`A restore will find no record of what this removes. To grant it again by hand: ${grants}`);
  }
  for (const grant of removed) await journal.change(grantChange(grant, 'remove'), () => removeKeyGrant(grant, azure));
  const left = await readKeyGrants(principalId, key, azure);
  for (const grant of left) journal.note(`${grantChange(grant, 'remove').text}: NOT done; run the same command again.`);
  const complete = left.length === 0;
  const audit = await record(complete ? 'AccountRevoked' : 'AccountRevocationIncomplete');
  for (const warning of auditWarning({ audit })) journal.note(warning);
  describe(account, operation);
  return { ...result, complete, audit };
}

/** The key that an account uses, and the principal by which it does. */
async function accessOf(account: Account, azure: Azure): Promise<{ key: ManagedKey; principalId: string }> {
  const refuse = (why: string, nextStep: string): CmkError =>
    new CmkError('AccountNotRevocable', `${why} Nothing was changed.`, nextStep);
  const use = accountKeyUse(account.encryption);
  if (!use) {
    const nextStep = 'An account on keys of Microsoft has no access that could be removed.';
    throw new CmkError('AccountNotManaged', `${account.name}: ${REASONS.AccountNotManaged}`, nextStep);
  }
  if (parseVault(use.vaultUri)?.kind === 'managedHsm') {
    throw refuse(
      `The key of ${account.name} is in a Managed HSM, where this command does not revoke accounts.`,
      'Revoke the key, disable an encryption scope of the account, or remove the local role by hand (az keyvault role assignment delete).',
    );
  }
  const identity = keyIdentity(account);
  if (!('principalId' in identity)) {
    throw refuse('missing' in identity ? identity.missing : identity.unknown, 'Revoke the key.');
  }
  const vault = await findVault(use.vaultUri, azure);
  return { key: managedKey(managed(vault, azure.cloud), use.keyName), principalId: identity.principalId };
}

/** Writes audit records of one revocation; the answer is `written`, or why it is not. */
async function recorder(
  { id: resource }: Account,
  { key, removes, others }: { key: string; removes: readonly KeyGrant[]; others: readonly string[] },
  { reason: why, ticket, audit }: AccountRevokeOptions,
  { azure }: Operation,
) {
  const { caller, correlationId } = callBy(await azure.operator());
  const details = { why, ticket, key, removes, others };
  return async (reason: 'AccountRevocationBegun' | 'AccountRevoked' | 'AccountRevocationIncomplete') => {
    const id = `account.revoke/${correlationId}/${reason}`;
    const entry = { id, action: 'account.revoke', reason, resource, caller, correlationId, details };
    const outcome = await audit(entry, AUDIT_WAIT_MS);
    return 'failed' in outcome ? outcome.failed : 'written';
  };
}

function describe({ name }: Account, { journal }: Operation): void {
  journal.note(
    'A removed role counts for up to ten minutes more; how long Storage uses a key that it has unwrapped is not documented.',
  );
  journal.note(
    'Not sticky: the access is back as soon as it is granted again (cmk account onboard --grant, cmk identity ensure, a deployment).',
  );
  journal.note(`To restore it: cmk account restore ${name} --reason '<why>'`);
}
