import type { Account } from '../../fleet/account.ts';
import type { LegacyRevocation } from '../../identities/legacy-revocation.ts';
import type { Operation } from '../operator-azure.ts';

/** Removes the tags in which version 2 recorded revocations, after they were restored. The other tags stay. */
export async function removeLegacyRecords(
  account: Account,
  legacy: readonly LegacyRevocation[],
  { azure, journal }: Pick<Operation, 'azure' | 'journal'>,
): Promise<void> {
  if (legacy.length === 0) return;
  const names = new Set(legacy.flatMap(({ tags }) => tags));
  const ids = legacy.map(({ id }) => id).join(', ');
  const change = {
    text: `record of the revocation ${ids} removed`,
    action: 'account.tag',
    resource: account.id,
  } as const;
  await journal.change(change, async () => {
    // A PATCH replaces all tags, so they are read again right before it.
    const { tags } = await azure.accounts.get(account);
    const kept = Object.entries(tags).filter(([name]) => !names.has(name));
    await azure.accounts.update(account, { tags: Object.fromEntries(kept) });
  });
}
