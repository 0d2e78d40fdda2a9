import type { DriftCause } from '../api/types.ts';
import { count, inWords, resourceLabel } from '../names.ts';

type SummarizedCause = Pick<DriftCause, 'reason' | 'about' | 'affected' | 'accounts' | 'sample'>;

interface Parts {
  /** The name of what has to be repaired, and of what it has to be repaired on. */
  readonly first: string;
  readonly second: string | undefined;
  /** `stfiles01`, `8 accounts` or `3 resources`. */
  readonly affected: string;
  readonly hasAccounts: boolean;
}

/** What a reason says of what it is about, and what that means for what it affects. */
const SENTENCES: Readonly<Record<string, (parts: Parts) => string>> = {
  IdentityWithoutRole: ({ first, second = 'its key', affected }) =>
    `${first} ${first === OWN ? 'have' : 'has'} no role on ${second}; ${affected} cannot use the key`,
  IdentityMissing: ({ first, affected }) => `Identity ${first} does not exist; ${affected} cannot use the key`,
  IdentityDeleted: ({ first, affected }) => `Identity ${first} was deleted; ${affected} cannot use the key`,
  RoleExpires: ({ first, second = 'its key', affected }) =>
    `The role of ${first} on ${second} ends soon; ${affected} would lose the key`,
  RevocationOpen: ({ first }) => `${first} is revoked`,
  KeyDisabled: ({ first, affected }) => `${first} is disabled; the data of ${affected} cannot be read`,
  KeyDeleted: ({ first, affected }) => `${first} was deleted or does not exist; the data of ${affected} cannot be read`,
  KeyExpired: ({ first, affected, hasAccounts }) =>
    `${first} has expired${hasAccounts ? `; ${affected} can still be read, but Storage refuses the key for anything new` : ''}`,
  NearExpiry: ({ first }) => `${first} expires soon`,
  StaleKeyVersion: ({ first, affected }) => `An older version of ${first} is still used by ${affected}`,
  ScopeLocked: ({ first }) => `${first} is locked; the app cannot move it to the newest version of its key`,
  DeniedByPolicy: ({ first }) =>
    `Azure Policy denies changes of ${first}; the app cannot move it to the newest version of its key`,
  VersionReverted: ({ first }) => `${first} was pinned back to an older version of its key`,
  EventSubscriptionMissing: ({ first }) =>
    `Events of ${first} do not reach the app; after a rotation its accounts move with the next hourly check, not within seconds`,
  VaultUnreachable: ({ first }) => `The network of ${first} keeps Storage out`,
  ContestedChange: ({ first }) =>
    `Another party keeps changing the key version of ${first} back; after two repairs the app stopped, until an operator releases it`,
};

/** A cause in one sentence, with names in place of ids. */
export function causeSentence(cause: SummarizedCause): string {
  const { reason, about, affected, accounts, sample } = cause;
  const [first, second] = (about.length === 0 && affected === 1 ? sample : about).map(labelOf);
  const which = affectedBy(cause);
  const sentence =
    first === undefined
      ? undefined
      : SENTENCES[reason]?.({ first, second, affected: which, hasAccounts: accounts > 0 });
  if (sentence) return `${sentence}.`;
  const where = [first, second].filter((label) => label && label !== which).join(' on ');
  return `${inWords(reason)}: ${which}${where ? ` (${where})` : ''}.`;
}

/** A system-assigned identity has no name: a cause of several is about their subscription. */
const OWN = 'The own identities of accounts';

function labelOf(id: string): string {
  return /^\/subscriptions\/[^/]+$/.test(id) ? OWN : resourceLabel(id);
}

/** What a cause affects: the one resource by name, or how many accounts, which are what serves data. */
function affectedBy({ affected, accounts, sample }: SummarizedCause): string {
  const [one] = accounts === 1 ? accountsIn(sample) : sample;
  if (one && (affected === 1 || accounts === 1)) return resourceLabel(one);
  return accounts > 0 ? count(accounts, 'account') : count(affected, 'resource');
}

/** The storage accounts among resources, and those whose scopes are. */
export function accountsIn(ids: readonly string[]): readonly string[] {
  return [...new Set(ids.flatMap((id) => /^.*\/storageAccounts\/[^/]+/i.exec(id)?.[0] ?? []))];
}
