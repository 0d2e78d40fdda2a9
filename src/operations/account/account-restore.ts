import { z } from 'zod';
import type { AuditFiles } from '../../audit/audit-client.ts';
import { recordsSince } from '../../audit/lines.ts';
import { CmkError } from '../../errors.ts';
import type { Account } from '../../fleet/account.ts';
import { accountKeyUse } from '../../fleet/key-use.ts';
import { keyIdentity } from '../../identities/key-access.ts';
import { KEY_GRANT, type KeyGrant, restoreKeyGrant } from '../../identities/key-grants.ts';
import { type LegacyRevocation, readLegacyRevocations } from '../../identities/legacy-revocation.ts';
import { vaultOfRole } from '../../identities/role-grant.ts';
import { NOT_AUDITED } from '../../revocation/record-revocation.ts';
import { recordDone } from '../app-storage.ts';
import type { Operation } from '../operator-azure.ts';
import { findAccount } from '../resolve.ts';
import { type AccountBreakGlass, grantChange } from './account-revoke.ts';

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
  // Records of version 2 lack this field: tags of the account record the removed grants.
  details: z.object({ removes: z.array(KEY_GRANT).default([]) }),
});

/**
 * Restores the grants that revocations removed since the last restore. The audit trail and tags of version 2 record
 * these grants. A repeated call after a failure restores the missing grants.
 *
 * @throws {@link CmkError} `AccountNotFound`, `Refused`; the SDK's error if the trail cannot be read: nothing was
 *   changed
 */
export async function restoreAccount(
  { account: named, reason: why, ticket, audit, trail, ...where }: AccountRestoreOptions,
  { azure, journal }: Operation,
) {
  const account = await findAccount(named, azure, where);
  const legacy = readLegacyRevocations(account.tags).filter(({ scope }) => scope === undefined);
  const removed = [...(await removedSinceRestore(account.id, trail)), ...legacyGrants(legacy, account)];
  const restored = [...new Map(removed.map((grant) => [JSON.stringify(grant).toLowerCase(), grant])).values()];
  if (restored.length === 0 && legacy.length === 0) {
    journal.found(`no open revocation of ${account.name} is recorded`);
  }
  for (const grant of restored) {
    await journal.change(grantChange(grant, 'restore'), () => restoreKeyGrant(grant, azure));
  }
  await removeLegacyRecords(account, legacy, { azure, journal });
  if (journal.dryRun || !journal.changed) return { account: account.id, restored, ...NOT_AUDITED };
  const details = { why, ticket, restored, legacy: legacy.map(({ id }) => id) };
  const entry = { action: 'account.restore', reason: 'AccountRestored', resource: account.id, details };
  const audited = await recordDone(entry, audit, { azure, journal });
  journal.note('A new role assignment takes effect within ten minutes; Storage retries automatically.');
  return { account: account.id, restored, audit: audited };
}

async function removedSinceRestore(account: string, trail: AuditFiles): Promise<readonly KeyGrant[]> {
  const removed: KeyGrant[] = [];
  for await (const { entry } of recordsSince(trail, ABOUT, new Date(0))) {
    const { data } = ENTRY.safeParse(entry);
    if (data?.resource.toLowerCase() !== account.toLowerCase()) continue;
    if (data.reason === 'AccountRestored') break;
    removed.push(...data.details.removes);
  }
  return removed;
}

/**
 * Reads grants from tags. Principals who may not assign roles may write tags. So a grant counts only for the account's
 * own identity in the vault of its key.
 */
function legacyGrants(legacy: readonly LegacyRevocation[], account: Account): readonly KeyGrant[] {
  const identity = keyIdentity(account);
  const principalId = 'principalId' in identity ? identity.principalId.toLowerCase() : undefined;
  const vaultUri = accountKeyUse(account.encryption)?.vaultUri.toLowerCase();
  const grants = legacy.flatMap(({ removed }) => removed);
  const isOwn = (grant: KeyGrant): boolean => {
    const place = grant.kind === 'role' ? `https://${vaultOfRole(grant.scope).split('/').at(-1)}.` : grant.hsm;
    return grant.principalId.toLowerCase() === principalId && (vaultUri?.startsWith(place.toLowerCase()) ?? false);
  };
  if (grants.every(isOwn)) return grants;
  throw new CmkError(
    'Refused',
    `The tags cmk-revoked-… of ${account.name} name a role that does not match its identity and the vault of its key. Nothing was changed.`,
    "If the account's identity or vault has changed since, grant the missing roles manually (cmk admin grant-role) and remove the tags; otherwise investigate which principal wrote them.",
  );
}

/** Removes the tags with restored revocations of version 2. Keeps all other tags. */
export async function removeLegacyRecords(
  account: Account,
  legacy: readonly LegacyRevocation[],
  { azure, journal }: Pick<Operation, 'azure' | 'journal'>,
): Promise<void> {
  if (legacy.length === 0) return;
  const names = new Set(legacy.flatMap(({ tags }) => tags));
  const text = `record of the revocation ${legacy.map(({ id }) => id).join(', ')} removed`;
  await journal.change({ text, action: 'account.tag', resource: account.id }, async () => {
    // A PATCH replaces all tags, so this reads them again right before it.
    const { tags } = await azure.accounts.get(account);
    const kept = Object.entries(tags).filter(([name]) => !names.has(name));
    await azure.accounts.update(account, { tags: Object.fromEntries(kept) });
  });
}
