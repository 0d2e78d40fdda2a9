import { createArmPatch } from '../azure/arm-reader.ts';
import type { Cloud } from '../azure/cloud.ts';
import type { TokenCredential } from '../azure/credential.ts';
import { type CallLimits, LIMITS } from '../azure/limits.ts';
import type { StorageAccounts } from '../fleet/storage-client.ts';
import type { AccountTags } from '../revocation/account-part.ts';

/**
 * Tags of accounts, written tag by tag (Azure Resource Manager, "Tags - Update At Scope"): a PATCH of the account would
 * replace all of them, those that somebody else has written meanwhile too. It takes `Microsoft.Resources/tags/write`.
 */
export function createAccountTags(
  credential: TokenCredential,
  cloud: Cloud,
  accounts: Pick<StorageAccounts, 'get'>,
  limits: CallLimits = LIMITS.resourceManager,
): AccountTags {
  const patch = createArmPatch(credential, cloud, limits);
  const update = async (id: string, operation: 'Merge' | 'Delete', tags: Readonly<Record<string, string>>) => {
    if (Object.keys(tags).length === 0) return;
    const path = `${id}/providers/Microsoft.Resources/tags/default`;
    await patch(path, { 'api-version': '2021-04-01' }, { operation, properties: { tags } });
  };
  return {
    read: async (account) => (await accounts.get(account)).tags,
    merge: ({ id }, tags) => update(id, 'Merge', tags),
    remove: ({ id }, tags) => update(id, 'Delete', tags),
  };
}
