import { isOptedOut } from '../../settings/opt-out.ts';
import { requirementOf, tagOf } from '../../settings/requirement.ts';
import type { Found } from './check.ts';
import { encryptAccount } from './commands.ts';
import type { AccountSubject, Rules } from './subjects.ts';

/** Account tag that names the key an account is meant to use: `vault/key` or a key identifier. */
export const KEY_TAG = 'cmk-key';

export function noLongerCustomerManaged({ account, use, left }: AccountSubject, { drift }: Rules): readonly Found[] {
  if (use || !left || isOptedOut(account.tags, left.lastSeen)) return [];
  // Whoever has to use a key is told by NotCustomerManaged, and has no way out by a tag.
  if (tagOf(account.tags, KEY_TAG) !== undefined || requirementOf(account, drift.require)) return [];
  const { key } = left.key;
  const [identity, another] = account.userAssignedIdentities;
  return [
    {
      is: `It uses Microsoft-managed keys, and used ${key.id} until ${left.lastSeen.toISOString()} or later.`,
      shouldBe: 'It uses the key that it used, or somebody has recorded that it is not meant to.',
      // Which of several identities it used is not known.
      command: another === undefined ? encryptAccount(account, key, identity) : undefined,
      cause: { about: [key.id] },
    },
  ];
}
