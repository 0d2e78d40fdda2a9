import type { DriftCause } from '../api/types.ts';
import { count, inWords, resourceLabel } from '../names.ts';

type Told = Pick<DriftCause, 'reason' | 'about' | 'affected' | 'sample'>;

/** What a reason says of what it is about (at most two things), and what that means for the resources that it affects. */
const SENTENCES: Readonly<Record<string, (first: string, second: string | undefined, affected: string) => string>> = {
  IdentityWithoutRole: (identity, vault, affected) =>
    `${identity} has no role on ${vault ?? 'its key'}; ${affected} cannot use the key`,
  IdentityMissing: (identity, _, affected) => `Identity ${identity} does not exist; ${affected} cannot use the key`,
  IdentityDeleted: (identity, _, affected) => `Identity ${identity} was deleted; ${affected} cannot use the key`,
  RoleExpires: (identity, vault, affected) =>
    `The role of ${identity} on ${vault ?? 'its key'} ends soon; ${affected} would lose the key`,
  RevocationOpen: (key) => `${key} is revoked`,
  KeyDisabled: (key, _, affected) => `${key} is disabled; the data of ${affected} cannot be read`,
  KeyDeleted: (key, _, affected) => `${key} was deleted or does not exist; the data of ${affected} cannot be read`,
  KeyExpired: (key) => `${key} has an expired version`,
  NearExpiry: (key) => `${key} expires soon`,
  StaleKeyVersion: (key, _, affected) => `${affected} still on an older version of ${key}`,
  EventSubscriptionMissing: (vault) => `Events of ${vault} do not reach the app`,
  VaultUnreachable: (vault) => `The network of ${vault} keeps Storage out`,
  ContestedChange: (account) =>
    `${account} was changed again after two repairs; the app leaves it alone until an operator releases it`,
};

/** A cause in one sentence, with names in place of ids. */
export function causeSentence({ reason, about, affected, sample }: Told): string {
  const [first, second] = (about.length === 0 && affected === 1 ? sample : about).map(resourceLabel);
  const isAccounts = sample.every((id) => /\/storageAccounts\/[^/]+$/i.test(id));
  const many = isAccounts ? count(affected, 'account') : count(affected, 'resource');
  const told = first === undefined ? undefined : SENTENCES[reason]?.(first, second, many);
  if (told) return `${told}.`;
  const which = affected === 1 && sample[0] ? resourceLabel(sample[0]) : many;
  const where = [first, second].filter((label) => label && label !== which).join(' on ');
  return `${inWords(reason)}: ${which}${where ? ` (${where})` : ''}.`;
}
