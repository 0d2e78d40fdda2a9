import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import type { Account } from '../../../accounts/account.ts';
import { findAccountKeyUse } from '../../../accounts/key-use.ts';
import type { AuditFiles } from '../../../audit/audit-client.ts';
import { BREAK_GLASS_AUDIT_WAIT_MS } from '../../../audit/audit-trail.ts';
import type { Change } from '../../../audit/journal.ts';
import { readRecordsSince } from '../../../audit/lines.ts';
import { readUnlessMissing } from '../../../azure/failure.ts';
import { formatScopeId, getLastName } from '../../../azure/resource-id.ts';
import { createShellCommand, renderCommandOr } from '../../../azure/shell-command.ts';
import { CmkError } from '../../../errors/errors.ts';
import { REASONS } from '../../../errors/reasons.ts';
import { findKeyIdentity } from '../../../identities/key-access.ts';
import {
  createNotRevocable,
  KEY_GRANT,
  type KeyGrant,
  readKeyGrants,
  restoreKeyGrant,
} from '../../../identities/key-grants.ts';
import { getVaultOfRole } from '../../../identities/role-grant.ts';
import { parseVault } from '../../../keys/key-identifier.ts';
import { createManagedKey, type ManagedKey } from '../../../keys/managed-vaults.ts';
import { NOT_AUDITED } from '../../../revocation/record-revocation.ts';
import { type AppRecord, recordDone } from '../app-storage.ts';
import { checkName } from '../names.ts';
import type { Azure, Operation } from '../operator-azure.ts';
import { findAccount, findVault, toManagedVault, type Where } from '../resolve.ts';
import { findPrincipal, listSharingResources, readWhatStaysReadable } from './revocation-reach.ts';

interface AccountBreakGlass extends Where {
  /** Name or ARM id. */
  readonly account: string;
  readonly reason: string;
  readonly ticket?: string | undefined;
  readonly audit: AppRecord['audit'];
}

interface AccountRevokeOptions extends AccountBreakGlass {
  /** Whether to continue if other resources have the same identity. */
  readonly shared: boolean;
}

/**
 * Removes the access of an account's identity to its key once. Writes the audit record first, so that a restore finds
 * it after a crash. Without an audit trail the revocation continues, and prints the grants to restore manually.
 *
 * @returns `complete`: a second read shows no access, and the identity can use no other key of the account's scopes;
 *   `others`: ARM ids of resources that lose access too
 * @throws {@link CmkError} `AccountNotFound`, `AccountNotManaged`, `AccountNotRevocable`, `IdentityShared`,
 *   `SubscriptionUnreadable`: nothing was changed
 */
export async function revokeAccount(
  { account: named, shared, reason: why, ticket, audit, ...where }: AccountRevokeOptions,
  { azure, journal }: Operation,
) {
  const account = await findAccount(named, azure, where);
  const { key, principalId } = await accessOf(account, azure);
  const { removable: removed, standing } = await readKeyGrants(principalId, key, azure);
  if (standing.length > 0) throw createNotRevocable(key, standing);
  if (removed.length > 0) await refuseLocked(key, azure);

  const others = await listSharingResources(account, key, shared, { azure, journal });
  const names = others.map((id) => getLastName(id)).join(', ');

  if (others.length > 0 && !shared) {
    throw new CmkError(
      'IdentityShared',
      `${REASONS.IdentityShared} The identity of ${account.name} is also that of ${names}.`,
      'Add --shared to revoke their access too, or disable an encryption scope of the account (cmk scope disable).',
    );
  }

  if (others.length > 0) journal.note(`Other resources with the same identity lose access too: ${names}`);

  const readable = await readWhatStaysReadable(removed, account, { key, principalId }, azure);

  for (const note of readable.notes) journal.note(note);

  const result = { account: account.id, key: key.id, removed, others };

  if (removed.length === 0) {
    journal.found(`the identity of ${account.name} has no access to ${key.vault.name}/${key.name}`);
    return { ...result, complete: readable.complete, ...NOT_AUDITED };
  }

  journal.note(
    'A removed role stays effective for up to ten minutes; Azure does not document how long Storage keeps using an unwrapped key.',
  );
  journal.note(
    `Not permanent: any new grant gives the identity access again. To restore it: cmk account restore ${account.name} --reason '<why>'`,
  );
  journal.note('The drift check reports IdentityWithoutRole until then: do not run the command of that finding.');

  if (journal.dryRun) {
    for (const grant of removed) journal.planned(describeGrantChange(grant, 'remove'));
    return { ...result, complete: false, ...NOT_AUDITED };
  }

  const correlationId = randomUUID();
  const details = { why, ticket, key: key.id, removes: removed, others };
  const record = (reason: 'AccountRevocationBegun' | 'AccountRevoked' | 'AccountRevocationIncomplete') => {
    const about = { action: 'account.revoke', reason, resource: account.id, correlationId, details };
    const entry = { id: `account.revoke/${correlationId}/${reason}`, ...about };
    return recordDone(entry, audit, { azure, journal }, BREAK_GLASS_AUDIT_WAIT_MS);
  };

  if ((await record('AccountRevocationBegun')) !== 'written') {
    journal.note(`A restore will find no record. Grants to restore manually: ${JSON.stringify(removed)}`);
  }

  for (const grant of removed) {
    await journal.change(describeGrantChange(grant, 'remove'), () => azure.roles.remove(grant.scope, grant.name));
  }

  const left = await readKeyGrants(principalId, key, azure);
  for (const grant of left.removable) {
    journal.note(`${describeGrantChange(grant, 'remove').text}: NOT done. Run the same command again.`);
  }

  for (const { how, remedy } of left.standing) journal.note(`The identity still reaches the key ${how}. ${remedy}`);

  const isRemoved = left.removable.length === 0 && left.standing.length === 0;
  const audited = await record(isRemoved ? 'AccountRevoked' : 'AccountRevocationIncomplete');

  return { ...result, complete: isRemoved && readable.complete, audit: audited };
}

/**
 * @throws {@link CmkError} `AccountNotRevocable` if a lock prevents the removal of roles. Locks that cannot be read
 *   prevent nothing here: then Azure rejects the removal.
 */
async function refuseLocked({ vault, name }: ManagedKey, { vaultGuards }: Azure): Promise<void> {
  const locks = await vaultGuards.locksOf(vault).catch(() => []);
  if (locks.length === 0) return;

  const command = renderCommandOr(
    createShellCommand(
      'az lock delete --ids',
      locks.map((id) => ['', id]),
    ),
    locks.join(', '),
  );

  throw new CmkError(
    'AccountNotRevocable',
    `A lock on ${vault.name} prevents the removal of role assignments (${locks.join(', ')}). Nothing was changed.`,
    `Remove the lock, which needs Microsoft.Authorization/locks/delete, and run this again: ${command}\nOr revoke the key ${vault.name}/${name}, or disable an encryption scope of the account.`,
  );
}

async function accessOf(account: Account, azure: Azure): Promise<{ key: ManagedKey; principalId: string }> {
  const use = findAccountKeyUse(account.encryption);
  if (!use) {
    const message = `${account.name}: ${REASONS.AccountNotManaged}`;
    throw new CmkError(
      'AccountNotManaged',
      message,
      'An account on Microsoft-managed keys has no key access to remove.',
    );
  }

  const refuse = (why: string): CmkError => {
    const nextStep = 'Revoke the key, disable an encryption scope of the account, or remove the access manually.';
    return new CmkError('AccountNotRevocable', `${why} Nothing was changed.`, nextStep);
  };
  const identity = findKeyIdentity(account);
  if ('missing' in identity) throw refuse(identity.missing);
  if ('unknown' in identity) throw refuse(identity.unknown);

  if (parseVault(use.vaultUri)?.kind === 'managedHsm') {
    throw refuse(`The key of ${account.name} is in a Managed HSM, which this command does not support.`);
  }

  const vault = await findVault(use.vaultUri, azure);

  return { key: createManagedKey(toManagedVault(vault, azure.cloud), use.keyName), principalId: identity.principalId };
}

function grantText({ principalId, scope }: KeyGrant): string {
  return `role of ${principalId} on ${scope.replace(/^.*\/vaults\//i, '')}`;
}

export function describeGrantChange(grant: KeyGrant, did: 'remove' | 'restore'): Change {
  const { principalId, name, scope } = grant;
  const of = grantText(grant);
  const resource = `${scope}/providers/Microsoft.Authorization/roleAssignments/${name}`;
  return did === 'remove'
    ? { text: `${of} removed`, action: 'role.remove', resource, from: principalId }
    : { text: `${of} restored`, action: 'role.assign', resource, to: principalId };
}

interface AccountRestoreOptions extends AccountBreakGlass {
  /** The audit trail, which records the removed grants. */
  readonly trail: AuditFiles;
}

/** Text in the JSON of every record of `account.revoke` and `account.restore`. */
const ABOUT = '"action":"account.re';
const ENTRY = z.object({
  action: z.enum(['account.revoke', 'account.restore']),
  reason: z.string(),
  resource: z.string(),
  // Absent from the record of a restore.
  details: z.object({ removes: z.array(KEY_GRANT).default([]) }),
});

/**
 * Restores the grants that revocations removed since the last restore, if they belong to the account's present identity
 * and the vault of its present key. A repeated call after a failure restores the missing grants.
 *
 * @throws {@link CmkError} `AccountNotFound`; the SDK's error if the trail cannot be read: nothing was changed
 */
export async function restoreAccount(
  { account: named, reason: why, ticket, audit, trail, ...where }: AccountRestoreOptions,
  { azure, journal }: Operation,
) {
  const account = await findAccount(named, azure, where);
  const removed = await removedSinceRestore(account.id, trail);
  const recorded = [...new Map(removed.map((grant) => [JSON.stringify(grant).toLowerCase(), grant])).values()];
  if (recorded.length === 0) journal.found(`no open revocation of ${account.name} is recorded`);

  const restored = recorded.filter((grant) => isGrantOf(account, grant));

  for (const grant of recorded) {
    if (!restored.includes(grant)) journal.note(notRestored(grant, account));
  }

  for (const grant of restored) {
    await journal.change(describeGrantChange(grant, 'restore'), () => restoreKeyGrant(grant, azure));
  }

  if (journal.dryRun || !journal.changed) return { account: account.id, restored, ...NOT_AUDITED };

  const details = { why, ticket, restored };
  const entry = { action: 'account.restore', reason: 'AccountRestored', resource: account.id, details };
  const audited = await recordDone(entry, audit, { azure, journal });

  journal.note('A new role assignment takes effect within ten minutes; Storage retries automatically.');

  return { account: account.id, restored, audit: audited };
}

async function removedSinceRestore(account: string, trail: AuditFiles): Promise<readonly KeyGrant[]> {
  const removed: KeyGrant[] = [];
  for await (const { entry } of readRecordsSince(trail, ABOUT, new Date(0))) {
    const { data } = ENTRY.safeParse(entry);
    if (data?.resource.toLowerCase() !== account.toLowerCase()) continue;
    if (data.reason === 'AccountRestored') break;
    removed.push(...data.details.removes);
  }
  return removed;
}

/** Whether a grant belongs to the account's present identity in the vault of its present key. */
function isGrantOf(account: Account, grant: KeyGrant): boolean {
  const vaultUri = findAccountKeyUse(account.encryption)?.vaultUri.toLowerCase();
  const place = `https://${getLastName(getVaultOfRole(grant.scope))}.`;
  const isOwnVault = vaultUri?.startsWith(place.toLowerCase()) ?? false;
  return isOwnVault && grant.principalId.toLowerCase() === findPrincipal(account);
}

function notRestored(grant: KeyGrant, { name }: Account): string {
  const command = createShellCommand('cmk admin grant-role', [
    ['--assignee', grant.principalId],
    ['--vault', getVaultOfRole(grant.scope)],
  ]);
  return `${grantText(grant)} NOT restored: ${name} now has another identity, or its key is in another vault. If something else needs the role: ${renderCommandOr(command, 'assign it again.')}`;
}

interface ScopeState {
  /** Name or ARM id. */
  readonly account: string;
  readonly scope: string;
  readonly state: 'Enabled' | 'Disabled';
}

/**
 * Disables or enables an encryption scope.
 *
 * @throws {@link CmkError} `AccountNotFound`, `NotFound`
 */
export async function setScopeState(
  { account: named, scope, state, ...where }: ScopeState & Where,
  { azure, journal }: Operation,
): Promise<ScopeState> {
  // The name becomes part of a path, so it is checked.
  checkName('scope', scope);

  const account = await findAccount(named, azure, where);
  const from = await readUnlessMissing(() => azure.accounts.scopeState(account, scope));
  if (from === undefined) {
    throw new CmkError('NotFound', `${account.name} has no encryption scope ${scope}.`, 'Check the name of the scope.');
  }

  const isOn = state === 'Enabled';
  const text = `encryption scope ${scope} ${state.toLowerCase()}`;
  const resource = formatScopeId(account.id, scope);
  const change = { text, action: isOn ? 'scope.enable' : 'scope.disable', resource, from, to: state } as const;
  if (from === state) journal.found(`${text} before`);
  else await journal.change(change, () => azure.accounts.setScopeState(account, scope, state));

  if (!isOn) {
    journal.note(
      `Storage rejects requests for blobs of the scope (403). File shares have no scopes and stay readable.`,
    );
    journal.note(`Not permanent. To enable it: cmk scope enable ${account.name} ${scope}`);
  }

  return { account: account.id, scope, state };
}
