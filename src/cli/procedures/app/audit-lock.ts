import { AUDIT_CONTAINER } from '../../../audit/audit-client.ts';
import { CmkError } from '../../../errors/errors.ts';
import type { Operation } from '../operator-azure.ts';
import { findAccount, type Where } from '../resolve.ts';

interface LockOptions extends Where {
  /** Name or ARM id of the app's own storage account. */
  readonly account: string;
  /** Asks the operator twice. Throws if an answer differs. */
  readonly confirm: (account: string, days: number) => Promise<void>;
}

/**
 * Locks the immutability policy of the audit trail. Azure cannot undo it.
 *
 * @throws {@link CmkError} if the policy does not exist, or does not allow appends
 */
export async function lockAuditTrail(
  { account: named, confirm, ...where }: LockOptions,
  { azure, journal }: Operation,
) {
  const account = await findAccount(named, azure, where);
  const policy = await azure.auditPolicies.get(account);
  if (!policy) {
    throw new CmkError(
      'NotFound',
      `The container ${AUDIT_CONTAINER} of ${account.name} has no immutability policy, or does not exist.`,
      "Check that it is the app's storage account. A deployment creates the policy (`azd provision`).",
    );
  }

  const { days, isLocked, allowsAppends, etag } = policy;
  if (!allowsAppends) {
    throw new CmkError(
      'Refused',
      `The policy of ${AUDIT_CONTAINER} does not allow appends. After a lock the app could never append to the audit trail again.`,
      'Deploy the app again (`azd provision`): this repairs the policy.',
    );
  }

  const what = `the immutability policy of ${account.name}/${AUDIT_CONTAINER} is locked (${days} days)`;

  if (isLocked) {
    journal.found(what);
    return { account: account.id, locked: true, days };
  }

  if (!journal.dryRun) await confirm(account.name, days);

  const locked = await journal.change({ text: what, action: 'audit.lock', resource: account.id }, () =>
    azure.auditPolicies.lock(account, etag),
  );
  if (locked) {
    journal.note(
      'Set the parameter auditPolicyLocked in later deployments: they then do not change the locked policy.',
    );
  }

  return { account: account.id, locked: locked?.isLocked ?? false, days };
}
